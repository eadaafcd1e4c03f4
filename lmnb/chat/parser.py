"""A reply's text as it comes, split into thinking and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lmnb.chat.reasoning import ReasoningFormat

__all__ = ["Content", "Reasoning", "ReplyParser"]


@dataclass(frozen=True, slots=True)
class Content:
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


Delta = Content | Reasoning


class ReplyParser:
    """Text deltas in, typed deltas out; however the text is cut, the joined result is the same.

    Only a start tag at the very beginning of the reply opens thinking; `inside` says that the
    prompt has done so already (then a start tag which the model repeats is dropped). Thinking that
    is never closed stays thinking. Tags are never given out, nor the white space beside them.

    What could be the beginning of a tag (and white space which might stand beside one) is held
    until the next text decides; everything else is given out at once.
    """

    def __init__(self, reasoning: ReasoningFormat | None, inside: bool = False) -> None:
        self._format = reasoning
        self._inside = inside
        self._held = ""
        self._after_tag = False
        self._state: Literal["start", "thinking", "answer start", "answer", "plain"]
        self._state = "plain" if reasoning is None else "start"

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes; none is empty."""
        self._held += text
        deltas: list[Delta] = []
        while self._step(deltas):
            pass
        return deltas

    def finish(self) -> list[Delta]:
        """What was still held: the reply is over, so it was no tag."""
        held, self._held = self._held, ""
        thinking = self._state == "thinking" or (self._state == "start" and self._inside)
        if self._after_tag or (thinking and self._state == "start"):
            held = held.lstrip()
        if not held:
            return []
        return [Reasoning(held) if thinking else Content(held)]

    def _step(self, deltas: list[Delta]) -> bool:
        """Does what the present state can do with what is held. True if that led to another."""
        if self._format is None or self._state == "plain":
            self._give(Content, len(self._held), deltas)
            return False
        before, after = self._format.answer or ("", "")
        if self._state == "thinking":
            if not self._until(self._format.end, Reasoning, deltas):
                return False
            self._state = "answer start" if before else "answer"
        elif self._state == "answer":
            return self._until(after, Content, deltas)
        else:
            opened = self._open(self._format.start if self._state == "start" else before)
            if opened is None:
                return False
            if self._state == "answer start":
                self._state = "answer"
            else:
                self._state = "thinking" if opened or self._inside else "plain"
                self._after_tag = self._state == "thinking"
        return True

    def _open(self, tag: str) -> bool | None:
        """Takes `tag` from the front, if it stands there; None while that is open."""
        front = self._held.lstrip()
        if front.startswith(tag):
            self._held = front[len(tag) :]
            return True
        return None if tag.startswith(front) else False

    def _until(self, tag: str, kind: type[Delta], deltas: list[Delta]) -> bool:
        """Gives out the text before `tag` and takes `tag`; False while it has not come."""
        if self._after_tag:
            self._held = self._held.lstrip()
            self._after_tag = not self._held
        at = self._held.find(tag) if tag else -1
        if at < 0:
            self._give(kind, len(self._held) - _undecided(self._held, tag), deltas)
            return False
        rest = self._held[at + len(tag) :]
        self._give(kind, len(self._held[:at].rstrip()), deltas)
        self._held = rest
        self._after_tag = True
        return True

    def _give(self, kind: type[Delta], length: int, deltas: list[Delta]) -> None:
        if length:
            deltas.append(kind(self._held[:length]))
            self._held = self._held[length:]


def _undecided(text: str, tag: str) -> int:
    """Characters at the end of `text` which could be the beginning of `tag`, or space before it."""
    if not tag:
        return 0
    partial = next(n for n in range(min(len(tag) - 1, len(text)), -1, -1) if text.endswith(tag[:n]))
    return len(text) - len(text[: len(text) - partial].rstrip())
