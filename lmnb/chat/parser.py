"""A reply's text as it comes, split into thinking, answer and tool calls."""

from __future__ import annotations

from typing import Literal

from lmnb.chat.calls import CallReader
from lmnb.chat.deltas import Call, Content, Delta, Reasoning
from lmnb.chat.marks import undecided
from lmnb.chat.reasoning import ReasoningFormat

__all__ = ["Call", "Content", "Reasoning", "ReplyParser"]


class ReplyParser:
    """Text deltas in, typed deltas out; however the text is cut, the joined result is the same.

    Thinking is split off first; `calls` reads the rest.
    """

    def __init__(
        self,
        reasoning: ReasoningFormat | None,
        inside: bool = False,
        calls: CallReader | None = None,
    ) -> None:
        self._splitter = ThinkingSplitter(reasoning, inside)
        self._calls = calls

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes; none is empty."""
        return self._read(self._splitter.feed(text))

    def finish(self) -> list[Delta]:
        """What was still held: the reply is over."""
        deltas = self._read(self._splitter.finish())
        return deltas + self._calls.finish() if self._calls else deltas

    def _read(self, pieces: list[Content | Reasoning]) -> list[Delta]:
        if self._calls is None:
            return [*pieces]
        deltas: list[Delta] = []
        for piece in pieces:
            if isinstance(piece, Content):
                deltas += self._calls.feed(piece.text)
            else:
                deltas.append(piece)
        return deltas


class ThinkingSplitter:
    """Only a start tag at the very beginning of the reply opens thinking; `inside` says that the
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

    def feed(self, text: str) -> list[Content | Reasoning]:
        """The deltas that `text` completes; none is empty."""
        self._held += text
        deltas: list[Content | Reasoning] = []
        while self._step(deltas):
            pass
        return deltas

    def finish(self) -> list[Content | Reasoning]:
        """What was still held: the reply is over, so it was no tag."""
        held, self._held = self._held, ""
        thinking = self._state == "thinking" or (self._state == "start" and self._inside)
        if self._after_tag or (thinking and self._state == "start"):
            held = held.lstrip()
        if not held:
            return []
        return [Reasoning(held) if thinking else Content(held)]

    def _step(self, deltas: list[Content | Reasoning]) -> bool:
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

    def _until(
        self, tag: str, kind: type[Content | Reasoning], deltas: list[Content | Reasoning]
    ) -> bool:
        """Gives out the text before `tag` and takes `tag`; False while it has not come."""
        if self._after_tag:
            self._held = self._held.lstrip()
            self._after_tag = not self._held
        at = self._held.find(tag) if tag else -1
        if at < 0:
            self._give(kind, len(self._held) - undecided(self._held, tag), deltas)
            return False
        rest = self._held[at + len(tag) :]
        self._give(kind, len(self._held[:at].rstrip()), deltas)
        self._held = rest
        self._after_tag = True
        return True

    def _give(
        self, kind: type[Content | Reasoning], length: int, deltas: list[Content | Reasoning]
    ) -> None:
        if length:
            deltas.append(kind(self._held[:length]))
            self._held = self._held[length:]
