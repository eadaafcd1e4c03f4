"""Texts as llguidance's Lark writes them."""

from __future__ import annotations

import json
import re

__all__ = ["literal", "regex"]

_CONTROL = re.compile(r"([\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+)")
"""What its strings cannot hold, escaped or not; its regular expressions can."""


def literal(text: str) -> str:
    """Exactly `text`: one string, or a sequence of which control characters are a part."""
    parts = [part for part in _CONTROL.split(text) if part]
    if len(parts) == 1 and not _CONTROL.match(text):
        return json.dumps(text, ensure_ascii=False)
    written = (
        f"/{''.join(map(_escape, part))}/" if _CONTROL.match(part) else literal(part)
        for part in parts
    )
    return f"({' '.join(written)})" if parts else '""'


def regex(pattern: str) -> str:
    """`pattern` between slashes. The whole text matches it, so anchors at its ends say nothing. `\\d`
    are the ten digits, as in JSON schemas: not those of every script."""
    from llguidance import regex_to_lark

    pattern = pattern.removeprefix("^")
    if pattern.endswith("$") and (len(pattern) - len(pattern[:-1].rstrip("\\"))) % 2:
        pattern = pattern[:-1]
    return f"/{regex_to_lark(pattern, 'd')}/"


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}"
