"""Marks in a text that is still coming: whether it has one, has none, or may get one."""

from __future__ import annotations

from lmnb.chat.callformat import ID, NUMBER

__all__ = ["NO", "UNDECIDED", "past", "undecided"]

NO, UNDECIDED = -1, -2


def past(text: str, at: int, pattern: str) -> int:
    """Where `pattern` ends, if `text` has it at `at`; NO, or UNDECIDED where `text` ends before.

    White space is not compared: models take it lightly.
    """
    for character in pattern:
        if character.isspace():
            continue
        if character in (ID, NUMBER):
            while at < len(text) and (text[at].isalnum() or text[at] in "_-"):
                at += 1
            if at == len(text):
                return UNDECIDED
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return UNDECIDED
        if text[at] != character:
            return NO
        at += 1
    return at


def undecided(text: str, tag: str) -> int:
    """Characters at the end of `text` which could be the beginning of `tag`, or space before it."""
    if not tag:
        return 0
    partial = next(n for n in range(min(len(tag) - 1, len(text)), -1, -1) if text.endswith(tag[:n]))
    return len(text) - len(text[: len(text) - partial].rstrip())
