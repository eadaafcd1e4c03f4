"""llama.cpp's GBNF to Lark.

The two write rules alike, so each symbol is translated by itself. But Lark has a lexer which takes
the longest match, GBNF has none: here every lexeme is one character, and there is nothing to choose.

Source: llama.cpp `grammars/README.md` and `src/llama-grammar.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lmnb.chat.lark import literal
from lmnb.errors import InvalidRequest

__all__ = ["to_lark"]

_TOKEN = re.compile(
    r"""
    (?P<skip>[\s]+|\#[^\r\n]*)
  | (?P<rule>[A-Za-z0-9_-]+)\s*::=
  | (?P<name>[A-Za-z0-9_-]+)
  | "(?P<text>(?:[^"\\]|\\.)*)"
  | \[(?P<not>\^?)(?P<class>(?:[^\]\\]|\\.)+)\]
  | (?P<any>\.)
  | \{\s*(?P<times>\d+\s*(?:,\s*\d*)?)\s*\}
  | (?P<sign>[()|*+?])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|(.)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}


def to_lark(gbnf: str) -> str:
    """Raises InvalidRequest where the grammar cannot be read."""
    rules: dict[str, list[str]] = {}
    used: set[str] = set()
    body: list[str] = []
    for kind, match in _tokens(gbnf):
        value = match[kind]
        if kind == "rule":
            if value in rules:
                raise InvalidRequest(f"The GBNF rule '{value}' is defined twice.")
            body = rules[value] = [":"]
            continue
        if not rules:
            raise InvalidRequest("A GBNF grammar begins with a rule: name ::= ...")
        if kind == "name":
            used.add(value)
            value = _name(value)
        elif kind == "text":
            value = f"({' '.join(map(literal, _characters(value)))})" if value else '""'
        elif kind == "class":
            value = f"/[{match['not']}{_class(value)}]/"
        elif kind == "any":
            value = "/(?s:.)/"
        elif kind == "times":
            value = "{" + "".join(value.split()) + "}"
        elif value in "|)" and body[-1] in ":|(":
            body.append('""')
        body.append(value)
    if missing := sorted({"root", *used} - rules.keys()):
        raise InvalidRequest(f"The GBNF grammar has no rule '{missing[0]}'.")
    return "\n".join(
        _name(name) + " ".join(parts if parts[-1] not in ":|" else [*parts, '""'])
        for name, parts in rules.items()
    )


def _tokens(gbnf: str) -> Iterator[tuple[str, re.Match[str]]]:
    at = 0
    while at < len(gbnf):
        match = _TOKEN.match(gbnf, at)
        if match is None:
            line = gbnf.count("\n", 0, at) + 1
            raise InvalidRequest(
                f"The GBNF grammar cannot be read at line {line}, before {gbnf[at : at + 20]!r}."
            )
        at = match.end()
        assert match.lastgroup is not None
        if match.lastgroup != "skip":
            yield match.lastgroup, match


def _name(name: str) -> str:
    """Lark's rules are lower case and know no hyphen."""
    return "start" if name == "root" else "r_" + name.encode().hex()


def _characters(text: str) -> Iterator[str]:
    """The characters that an escaped text stands for."""
    for code, plain in _ESCAPE.findall(text):
        if not code:
            yield plain
        elif len(code) == 1:
            yield _NAMED.get(code, code)
        else:
            number = int(code[1:], 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise InvalidRequest(f"'\\{code}' in the GBNF grammar is no character.")
            yield chr(number)


def _class(text: str) -> str:
    """The inside of a class, as a regular expression has it. A bare hyphen makes a range."""
    return "".join(
        "-" if match[0] == "-" else f"\\x{{{ord(next(_characters(match[0]))):x}}}"
        for match in _ESCAPE.finditer(text)
    )
