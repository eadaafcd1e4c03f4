"""Keeps what users write from being read as control tokens.

`protect` marks control-token text in a user's string before the template sees it; `pieces` finds
the marks in the rendered prompt, removes them, and says which stretches are the user's. Marks are
Unicode noncharacters, which text may not contain and templates do not look for, so a template can
still trim, split and search what it is given. Three of them:

    OPEN token CLOSE   around a whole token in a user's string
    JOINT              at an edge of a string which could be half a token, and where `replace`
                       joined two halves

An occurrence of a token in the prompt is the user's if it is wrapped, or if any mark lies strictly
inside it: then no single hand wrote it. A template that takes user text apart character by
character and puts it together again is beyond this.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

__all__ = ["CUT", "ControlTokens", "stripped", "without_marks"]

OPEN, CLOSE, JOINT, CUT = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
_MARKS = re.compile("([\ufdd0-\ufdd3])")
# What `tojson(ensure_ascii=true)` and `repr` make of a mark; a user's own such text gets a JOINT.
_ESCAPED = re.compile(r"\\ufdd([0-3])", re.IGNORECASE)
_ESCAPE_LIKE = re.compile(r"(\\u)(?=fdd[0-3])", re.IGNORECASE)


def without_marks(text: str) -> str:
    """`text` without the characters used as marks."""
    return _MARKS.sub("", text)


def stripped(text: str, characters: str | None, *, left: bool, right: bool) -> str:
    """`text.strip(characters)`, past marks whose token the template has already cut away."""
    while True:
        before = text
        if left:
            text = text.lstrip(characters).lstrip(CLOSE)
        if right:
            text = text.rstrip(characters).rstrip(OPEN)
        if text == before:
            return text


class ControlTokens:
    """The control tokens of one model, as texts."""

    def __init__(self, tokens: Sequence[str]) -> None:
        texts = {token for token in tokens if token}
        self._exact = frozenset(texts)
        self._folded = frozenset(token.lower() for token in texts)
        self._longest = max(map(len, texts), default=0)
        self._sorted = sorted(texts)
        self._sorted_backwards = sorted(token[::-1] for token in texts)
        self._lasts = frozenset(token[-1] for token in texts)
        # The first two characters, folded, and the lengths of the tokens which begin so.
        heads: dict[str, set[int]] = {}
        for token in texts:
            heads.setdefault(token[:2].lower(), set()).add(len(token))
        self._heads = {
            head: tuple(sorted(lengths, reverse=True)) for head, lengths in heads.items()
        }
        firsts = {form for token in texts for form in (token[0].lower(), token[0].upper())}
        self._firsts = _any_of(firsts)
        self._ends = firsts | self._lasts

    def protect(self, text: str) -> str:
        """`text` with every control token in it marked, whatever its case."""
        if not text.isascii():
            text = without_marks(text)
        if "\\u" in text:
            text = _ESCAPE_LIKE.sub(rf"\1{JOINT}", text)
        # Quicker than a regular expression, which no other thread can interrupt.
        if not any(character in text for character in self._ends):
            return text
        text = self._mark_edges(text)
        parts: list[str] = []
        done = 0
        for start, end in self._find(text, self._folded):
            if start >= done:
                parts += text[done:start], OPEN, text[start:end], CLOSE
                done = end
        return "".join((*parts, text[done:])) if parts else text

    def replace(self, text: str, old: str, new: str, count: int = -1) -> str:
        """`text.replace(old, new, count)`, which makes no control token of what stood beside it."""
        plain = text.replace(old, new, count)
        if old and self._firsts.search(plain):
            jointed = text.replace(old, JOINT + new + JOINT, count)
            if self._protected(jointed) > self._protected(plain):
                return jointed
        return plain

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """The prompt without marks: (text, whether control tokens in it are meant as such)."""
        if "\\ufdd" in text:
            text = _ESCAPED.sub(lambda match: chr(0xFDD0 + int(match[1])), text)
        parts = [text] if text.isascii() else _MARKS.split(text)
        if len(parts) == 1:
            return [(text, True)] if text else []
        clean = "".join(parts[::2])
        marks: list[int] = []
        opens, closes = set(), set()
        place = 0
        for part, mark in zip(parts[::2], parts[1::2], strict=False):
            place += len(part)
            marks.append(place)
            if mark == OPEN:
                opens.add(place)
            elif mark == CLOSE:
                closes.add(place)
        theirs: list[tuple[int, int]] = []
        for start, end in self._find(clean, self._exact):
            wrapped = start in opens and end in closes
            if wrapped or bisect_right(marks, start) < bisect_left(marks, end):
                if theirs and start <= theirs[-1][1]:
                    start, end = theirs[-1][0], max(end, theirs.pop()[1])
                theirs.append((start, end))
        return _cut(clean, theirs)

    def _find(self, text: str, tokens: frozenset[str]) -> Iterator[tuple[int, int]]:
        """(start, end) of every occurrence, overlapping ones too; the longest first."""
        folded = tokens is self._folded
        for match in self._firsts.finditer(text):
            start = match.start()
            for length in self._lengths(text[start : start + 2].lower()):
                found = text[start : start + length]
                if (found.lower() if folded else found) in tokens:
                    yield start, start + len(found)

    def _protected(self, text: str) -> int:
        return sum(len(piece) for piece, special in self.pieces(text) if not special)

    def _lengths(self, head: str) -> tuple[int, ...]:
        lengths = self._heads.get(head, ())
        return lengths if len(head) == 1 else lengths + self._heads.get(head[0], ())

    def _mark_edges(self, text: str) -> str:
        """A JOINT where `text`, without the space around it, ends or begins in half a token."""
        end = len(text.rstrip())
        start = len(text) - len(text.lstrip())
        if self._begins_a_token(text[max(start, end - self._longest + 1) : end]):
            text = text[:end] + JOINT + text[end:]
        if self._ends_a_token(text[start : min(end, start + self._longest - 1)]):
            text = text[:start] + JOINT + text[start:]
        return text

    def _begins_a_token(self, tail: str) -> bool:
        return any(
            _has_longer(self._sorted, tail[match.start() :])
            for match in self._firsts.finditer(tail)
        )

    def _ends_a_token(self, head: str) -> bool:
        return any(
            _has_longer(self._sorted_backwards, head[at::-1])
            for at, character in enumerate(head)
            if character in self._lasts
        )


def _cut(text: str, theirs: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    """`text` in pieces: False for the stretches in `theirs`, True for those between."""
    pieces: list[tuple[str, bool]] = []
    done = 0
    for start, end in (*theirs, (len(text), len(text))):
        if done < start:
            pieces.append((text[done:start], True))
        if start < end:
            pieces.append((text[start:end], False))
        done = end
    return pieces


def _has_longer(ordered: list[str], prefix: str) -> bool:
    """Whether a string in `ordered` begins with `prefix` and goes on."""
    at = bisect_right(ordered, prefix)
    return at < len(ordered) and ordered[at].startswith(prefix)


def _any_of(characters: set[str] | frozenset[str]) -> re.Pattern[str]:
    """Matches one of `characters`; nothing when there are none."""
    return re.compile(
        "[" + "".join(map(re.escape, sorted(characters))) + "]" if characters else r"(?!)"
    )
