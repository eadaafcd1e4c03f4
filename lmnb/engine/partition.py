"""Where a prompt has control tokens, when parts of it must have none.

llama.cpp cuts a text at its control tokens and tokenises what lies between
(`tokenizer_st_partition` in its llama-vocab.cpp). It is done in the same way here, with stretches that
are not cut: control-token text in them is read together with what stands around it. As a text of its
own it would not be the same: SentencePiece's vocabularies put a space before every text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lmnb.engine.options import Span

__all__ = ["Mark", "Marks", "Stretch", "joined", "partition"]

Stretch = tuple[int, int]
"""(start, end) in characters."""
PLAIN, TAKEN = 1, 2
HEAD = 3
"""Characters of a mark that are looked for first: most share theirs with others."""
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


class Marks:
    """All of a vocabulary. There may be thousands, of which a text has a few."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._by_head: dict[str, list[tuple[int, Mark]]] = {}
        longest_first = sorted(marks, key=lambda mark: -len(mark.text.encode()))
        for order, mark in enumerate(longest_first):
            self._by_head.setdefault(mark.text[:HEAD], []).append((order, mark))

    def within(self, text: str) -> list[Mark]:
        """Those whose text is there, the longest first: where two overlap, it counts."""
        heads = [marks for head, marks in self._by_head.items() if head in text]
        found = [one for marks in heads for one in marks if one[1].text in text]
        return [mark for _, mark in sorted(found, key=lambda one: one[0])]


def joined(spans: Iterable[Span]) -> tuple[str, tuple[Stretch, ...]]:
    """Their text, and where in it no control token is meant."""
    text, plain = "", list[Stretch]()
    for span in spans:
        if not span.special:
            plain.append((len(text), len(text) + len(span.text)))
        text += span.text
    return text, tuple(plain)


def partition(text: str, plain: Iterable[Stretch], marks: Marks) -> Iterator[str | int]:
    """Token ids, and the text between them. No control token is found in or across a stretch of
    `plain`."""
    state = bytearray(len(text))
    for start, end in plain:
        state[start:end] = bytes([PLAIN]) * (end - start)
    found: list[tuple[int, int, int]] = []
    for mark in marks.within(text):
        found += _occurrences(text, mark, state)
    done = 0
    for start, end, token in sorted(found):
        if done < start:
            yield text[done:start]
        yield token
        done = end
    if done < len(text):
        yield text[done:]


def _occurrences(text: str, mark: Mark, state: bytearray) -> Iterator[tuple[int, int, int]]:
    """(start, end, token) of each, with the white space that goes with it. They are taken."""
    barred = {TAKEN, PLAIN} if mark.control else {TAKEN}
    at = 0
    while (start := text.find(mark.text, at)) >= 0:
        end = start + len(mark.text)
        if not barred.isdisjoint(state[start:end]):
            at = start + 1
            continue
        while mark.strip_left and start > 0 and _is_free_space(text, state, start - 1):
            start -= 1
        while mark.strip_right and end < len(text) and _is_free_space(text, state, end):
            end += 1
        state[start:end] = bytes([TAKEN]) * (end - start)
        at = end
        yield start, end, mark.token


def _is_free_space(text: str, state: bytearray, at: int) -> bool:
    return text[at] in SPACE and state[at] != TAKEN
