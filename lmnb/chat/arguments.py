"""The arguments of a call while they come: whatever form the model gives them, out goes JSON.

A reader's `take` looks at text that begins where the last one stopped, and says what JSON that
makes, how much of the text it has used, and whether the arguments are over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from lmnb.chat.callformat import ParameterFormat
from lmnb.chat.kinds import Kind, kind
from lmnb.chat.marks import UNDECIDED, past, undecided

__all__ = ["ArgumentsReader", "JsonArguments", "MarkedArguments"]

_KEY = re.compile(r"[^\s\"'<>=:{}\[\]|]+")
_PYTHON = {"True": "true", "False": "false", "None": "null"}


class ArgumentsReader(Protocol):
    def take(self, text: str) -> tuple[str, int, bool]:
        """(JSON, characters used, whether it was all)."""

    def finish(self, text: str) -> tuple[str, int]:
        """The same when nothing comes after `text`."""


class JsonArguments:
    """A JSON object, passed on as it is; over where its brace closes."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def take(self, text: str) -> tuple[str, int, bool]:
        for at, character in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._in_string:
                self._escaped = character == "\\"
                self._in_string = character != '"'
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return text[: at + 1], at + 1, True
        return text, len(text), False

    def finish(self, text: str) -> tuple[str, int]:
        return "", 0


class MarkedArguments:
    """Keys and values between marks. Strings go out as they come, other values when complete."""

    def __init__(self, format: ParameterFormat, schema: Mapping[str, Any]) -> None:
        self._format = format
        self._schema = schema
        self._state: Literal["between", "key", "value", "string"] = "between"
        self._kind: Kind = "any"
        self._lead = ""
        self._written = "{"
        self._first = True
        self._over = False
        self._at = 0
        self._out: list[str] = []
        self._text = ""

    def take(self, text: str) -> tuple[str, int, bool]:
        self._begin(text)
        while not self._over and self._step():
            pass
        return "".join(self._out), self._at, self._over

    def finish(self, text: str) -> tuple[str, int]:
        self._begin(text)
        if self._state == "between":
            self._end()
        elif self._state == "string":
            self._write_string(text[self._at :])
            self._at = len(text)
        elif self._state == "value":
            self._out.append(self._json(text))
            self._at = len(text)
        return "".join(self._out), self._at

    def _begin(self, text: str) -> None:
        self._text, self._at, self._out = text, 0, []

    def _step(self) -> bool:
        """Does what can be done with the text at hand. False if more must come first."""
        if self._state == "between":
            return self._between()
        if self._state == "key":
            return self._key()
        return self._value()

    def _end(self) -> bool:
        self._out.append("{}" if self._first else "}")
        self._over = True
        return True

    def _between(self) -> bool:
        openings = [self._format.open]
        if self._format.separator.strip() and not self._first:
            openings = [self._format.separator + self._format.open]
        ends = [past(self._text, self._at, opening) for opening in openings]
        if max(ends) >= 0:
            self._at, self._state = max(ends), "key"
            return True
        if UNDECIDED in ends:
            return False
        return self._end()

    def _key(self) -> bool:
        found = _KEY.match(self._text, self._at)
        if found is None:
            return False if self._at == len(self._text) else self._end()
        if found.end() == len(self._text):
            return False
        middles = (self._format.middle, self._format.other_middle)
        ends = [past(self._text, found.end(), middle) for middle in middles]
        if max(ends) < 0:
            return False if UNDECIDED in ends else self._end()
        if max(ends) == len(self._text):
            return False
        marked = middles[0] != middles[1]
        which = ends.index(max(ends))
        self._kind = ("string", "json")[which] if marked else kind(self._schema, found[0])
        self._lead = _space_after(middles[which])
        self._at = max(ends)
        if self._lead and self._text.startswith(self._lead[0], self._at):
            self._at += 1
        self._out.append(("{" if self._first else ", ") + json.dumps(found[0]) + ": ")
        self._first = False
        self._state = "value"
        if self._kind == "string":
            self._out.append('"')
            self._state = "string"
        return True

    def _value(self) -> bool:
        close = self._format.close
        end = self._text.find(close.strip(), self._at)
        if end < 0:
            if self._state == "string":
                upto = len(self._text) - undecided(self._text[self._at :], close.strip())
                self._write_string(self._text[self._at : upto])
                self._at = upto
            return False
        value = self._text[self._at : end]
        space = close[: len(close) - len(close.lstrip())]
        if space:
            value = value.removesuffix(space)
        if self._state == "string":
            self._write_string(value)
            self._out.append('"')
        else:
            self._out.append(self._json(value))
        self._at = end + len(close.strip())
        self._state = "between"
        return True

    def _write_string(self, text: str) -> None:
        self._out.append(json.dumps(text, ensure_ascii=False)[1:-1])

    def _json(self, text: str) -> str:
        value = text.strip()
        if self._kind == "nullable":
            return "null" if value in ("null", "None") else json.dumps(text, ensure_ascii=False)
        value = _PYTHON.get(value, value)
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return json.dumps(text, ensure_ascii=False)
        return value


def _space_after(text: str) -> str:
    return text[len(text.rstrip()) :]
