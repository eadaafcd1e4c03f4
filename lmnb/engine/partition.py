"""Where a prompt has control tokens, when parts of it must have none.

llama.cpp cuts a text at its control tokens and tokenises what lies between
(`tokenizer_st_partition` in its llama-vocab.cpp). It is done in the same way here, with stretches that
are not cut: control-token text in them is read together with what stands around it. As a text of its
own it would not be the same: SentencePiece's vocabularies put a space before every text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lmnb.engine.options import Span

__all__ = ["Mark", "Stretch", "joined", "partition"]

Stretch = tuple[int, int]
"""(start, end) in characters."""
SPACE = " \t\n\v\f\r"
"""What C's `isspace` knows."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A token that stands out of the text. `control`: only where control tokens are meant."""

    text: str
    token: int
    control: bool
    strip_left: bool = False
    """White space before it is none of the text."""
    strip_right: bool = False


def joined(spans: Iterable[Span]) -> tuple[str, tuple[Stretch, ...]]:
    """Their text, and where in it no control token is meant."""
    text, plain = "", list[Stretch]()
    for span in spans:
        if not span.special:
            plain.append((len(text), len(text) + len(span.text)))
        text += span.text
    return text, tuple(plain)


def partition(text: str, plain: Iterable[Stretch], marks: Sequence[Mark]) -> Iterator[str | int]:
    """Token ids, and the text between them. No control token is found in or across a stretch of
    `plain`. `marks`: the longest first, as where two overlap the longer one counts."""
    covered = bytearray(len(text))
    for start, end in plain:
        covered[start:end] = b"\1" * (end - start)
    parts: list[Stretch | int] = [(0, len(text))]
    for mark in marks:
        if mark.text in text:
            cut: list[Stretch | int] = []
            for part in parts:
                cut += [part] if isinstance(part, int) else _cut(text, part, mark, covered)
            parts = cut
    for part in parts:
        yield part if isinstance(part, int) else text[slice(*part)]


def _cut(text: str, part: Stretch, mark: Mark, covered: bytearray) -> Iterator[Stretch | int]:
    start, end = part
    at = start
    while (found := text.find(mark.text, at, end)) >= 0:
        after = found + len(mark.text)
        if mark.control and any(covered[found:after]):
            at = found + 1
            continue
        before = found
        while mark.strip_left and before > start and text[before - 1] in SPACE:
            before -= 1
        while mark.strip_right and after < end and text[after] in SPACE:
            after += 1
        if start < before:
            yield start, before
        yield mark.token
        start = at = after
    if start < end:
        yield start, end
