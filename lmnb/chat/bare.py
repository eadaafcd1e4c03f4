"""Arguments in the way of Gemma 4: JSON with bare keys, and strings between marks of their own.

{city:<|"|>Paris<|"|>,days:3,where:{zip:<|"|>75001<|"|>}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lmnb.chat.kinds import listed_values
from lmnb.chat.marks import undecided
from lmnb.chat.references import followed

__all__ = ["BareArguments", "bare_rules"]

DEPTH = 6
"""Objects and arrays within one another; further in, a value may be any."""
MOST_ITEMS = 1_000_000
"""Larger bounds bind nothing that a model writes."""
_WORD = re.compile(r"[^\s,:{}\[\]<]+")
_LITERAL = re.compile(r"true|false|null|-?[0-9.]+([eE][+-]?[0-9]+)?")


class BareArguments:
    """Goes out as JSON. Begins after the opening brace, and is over before the closing one."""

    def __init__(self, quote: str) -> None:
        self._quote = quote
        self._depth = 0
        self._in_string = False
        self._begun = False

    def take(self, text: str) -> tuple[str, int, bool]:
        out, at, over = [] if self._begun else ["{"], 0, False
        self._begun = True
        while at < len(text) and not over:
            written, used = self._string(text[at:]) if self._in_string else self._step(text[at:])
            over = used < 0
            if used == 0:
                break
            out.append(written)
            at += max(used, 0)
        return "".join(out), at, over

    def finish(self, text: str) -> tuple[str, int]:
        if self._in_string:
            return _escaped(text), len(text)
        return "", 0

    def _step(self, text: str) -> tuple[str, int]:
        """(JSON, characters used); 0 where more must come first, -1 where the arguments are over."""
        if text[0].isspace():
            return "", 1
        if text.startswith(self._quote):
            self._in_string = True
            return '"', len(self._quote)
        if self._quote.startswith(text):
            return "", 0
        if text[0] in "{[":
            self._depth += 1
            return text[0], 1
        if text[0] in "}]" and self._depth:
            self._depth -= 1
            return text[0], 1
        if text[0] in ",:":
            return f"{text[0]} ", 1
        word = _WORD.match(text)
        if word is None:
            return "}", -1
        follows = text[word.end() :].lstrip()
        if not follows:
            return "", 0
        is_key = follows[0] == ":"
        if not is_key and _LITERAL.fullmatch(word[0]):
            return word[0], word.end()
        return json.dumps(word[0], ensure_ascii=False), word.end()

    def _string(self, text: str) -> tuple[str, int]:
        at = text.find(self._quote)
        if at >= 0:
            self._in_string = False
            return _escaped(text[:at]) + '"', at + len(self._quote)
        ready = len(text) - undecided(text, self._quote)
        return _escaped(text[:ready]), ready


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def bare_rules(
    schema: Mapping[str, Any], quote: str, quote_token: str | None, name: str
) -> list[str]:
    """Lark rules: `name` is what stands between the braces of an object of this schema.

    `quote_token` is the quote where it is a token, as Lark.
    """
    rules = _Rules(schema, quote, quote_token, name)
    return [*rules.object(schema, name), *rules.referred()]


class _Rules:
    def __init__(self, root: Mapping[str, Any], quote: str, token: str | None, name: str) -> None:
        self._root = root
        self._name = name
        self._references: dict[str, str] = {}
        """Names of their rules."""
        self._left: list[str] = []
        """References whose rules are not written yet."""
        self._quote = token or json.dumps(quote)
        escaped = re.escape(quote).replace("/", r"\/")
        self._rest = f"/(?s:.*)/ {token}" if token else f"/(?s:.*){escaped}/"
        self._lazy = "" if token else "[lazy]"

    def object(self, schema: Mapping[str, Any], name: str, depth: int = DEPTH) -> list[str]:
        """Required keys first to last, others where they belong, commas between those there are."""
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required") or ()
        rules, first, after = [], '""', '""'
        for number, (key, part) in reversed(list(enumerate(properties.items()))):
            rule = f"{name}_{number}"
            rules += self.value(part, f"{rule}_v", depth)
            rules.append(f'{rule}: {json.dumps(key)} ":" {rule}_v')
            may_miss = "" if key in required else "?"
            with_after = f"{rule}_after"
            rules.append(f"{with_after}: {after}")
            first = f"{rule} {with_after}" + ("" if key in required else f" | {first}")
            after = f'("," {rule}){may_miss} {with_after}'
            rules.append(f"{rule}_first: {first}")
            first = f"{rule}_first"
        return [*rules, f"{name}: {first}"]

    def _rule_of(self, reference: str) -> str:
        if reference not in self._references:
            self._references[reference] = f"{self._name}_r{len(self._references)}"
            self._left.append(reference)
        return self._references[reference]

    def referred(self) -> list[str]:
        """For what references lead to, once each: in their places, rules could be millions."""
        rules: list[str] = []
        while self._left:
            reference = self._left.pop()
            schema = followed({"$ref": reference}, self._root)
            in_circles = isinstance(schema, Mapping) and "$ref" in schema
            rules += self.value({} if in_circles else schema, self._references[reference], DEPTH)
        return rules

    def _written(self, value: str | float | None) -> str:
        text = json.dumps(value if isinstance(value, str) else json.dumps(value))
        return f"{self._quote} {text} {self._quote}" if isinstance(value, str) else text

    def value(self, schema: Any, name: str, depth: int) -> list[str]:
        schema = schema if isinstance(schema, Mapping) else {}
        if isinstance(reference := schema.get("$ref"), str):
            return [f"{name}: {self._rule_of(reference)}"]
        values = listed_values(schema)
        if values and all(map(_is_plain, values)):
            return [f"{name}: {' | '.join(map(self._written, values))}"]
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        options = None if kind else schema.get("anyOf") or schema.get("oneOf")
        if isinstance(kind, list):
            options = [{**schema, "type": one} for one in dict.fromkeys(map(str, kind))]
        if isinstance(options, list) and options and depth:
            names = [f"{name}_a{number}" for number in range(len(options))]
            each = zip(options, names, strict=True)
            rules = [rule for one, its in each for rule in self.value(one, its, depth - 1)]
            return [*rules, f"{name}: {' | '.join(names)}"]
        if kind == "string":
            return [f"{name}_s{self._lazy}: {self._rest}", f"{name}: {self._quote} {name}_s"]
        if kind in ("integer", "number", "boolean", "null"):
            return [f"{name}: %json {json.dumps(dict(schema))}"]
        if kind == "array" and depth:
            items = self.value(schema.get("items"), f"{name}_i", depth - 1)
            return [*items, f'{name}: "[" {_repeated(f"{name}_i", schema)} "]"']
        if kind == "object" and schema.get("properties") and depth:
            return [*self.object(schema, f"{name}_o", depth - 1), f'{name}: "{{" {name}_o "}}"']
        if kind == "object" and depth:
            keys = f"{name}_k: /[a-zA-Z0-9_.-]+/"
            values = self.value(schema.get("additionalProperties"), f"{name}_v", depth - 1)
            pair = f'{name}_k ":" {name}_v'
            return [keys, *values, f'{name}: "{{" ({pair} ("," {pair})*)? "}}"']
        return [
            f"{name}_s{self._lazy}: {self._rest}",
            f"{name}_k: /[a-zA-Z0-9_.-]+/",
            f"{name}: {self._quote} {name}_s | /-?[0-9]+(\\.[0-9]+)?/"
            f' | "true" | "false" | "null" | "[" ({name} ("," {name})*)? "]"'
            f' | "{{" ({name}_k ":" {name} ("," {name}_k ":" {name})*)? "}}"',
        ]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _repeated(item: str, schema: Mapping[str, Any]) -> str:
    least, most = (_count(schema.get(key)) for key in ("minItems", "maxItems"))
    if most == 0:
        return '""'
    more = f"{max((least or 0) - 1, 0)},{'' if most is None else most - 1}"
    some = f'{item} ("," {item}){{{more}}}'
    return some if least else f"({some})?"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= MOST_ITEMS else None
