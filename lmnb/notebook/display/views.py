"""An answer while it comes: rewritten in place in a notebook, written on in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol

from lmnb.notebook.chat.calls import Call
from lmnb.notebook.chat.reply import Reply, plain_call
from lmnb.notebook.display.interrupts import held_back

INTERVAL = 0.1
CHARACTERS_PER_SECOND = 500_000  # each update sends the whole text again: long ones come less often


class View(Protocol):
    """Where a streamed answer shows."""

    def note(self, text: str) -> None:
        """Something to read while there is no text yet."""

    def update(self, reply: Reply, delta: str) -> None:
        """`reply` so far; `delta` is what is new in its text (empty: more reasoning)."""

    def finish(self, reply: Reply) -> None:
        """The last word. Nothing, where nothing was shown and there is nothing to show."""


class Bundle:
    """Ready-made representations, by their types."""

    def __init__(self, data: dict[str, str]) -> None:
        self._data = data

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._data


class Slot:
    """A place in a cell's output whose content can be replaced. Appears with the first content."""

    def __init__(self) -> None:
        self._handle: Any = None

    @property
    def is_used(self) -> bool:
        return self._handle is not None

    def show(self, plain: str, markdown: str) -> None:
        """Two representations: every front end has one of them."""
        self.put({"text/plain": plain, "text/markdown": markdown})

    def put(self, data: dict[str, str]) -> None:
        """Representations by their types."""
        from IPython.display import display

        bundle = Bundle(data)
        with held_back():  # shown but not remembered, it would be shown twice
            if self._handle is None:
                self._handle = display(bundle, display_id=True)
            else:
                self._handle.update(bundle)


class NotebookView:
    """Markdown, at about ten pictures a second; the first token at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._slot = Slot()
        self._clock = clock
        self._next = 0.0
        self._seen: object = None

    def note(self, text: str) -> None:
        self._show({"text/plain": f"[{text}]", "text/markdown": f"<sub>{text}</sub>"})

    def update(self, reply: Reply, delta: str) -> None:
        seen = [call.outcome for call in reply.calls]
        if seen != self._seen:  # the first token, a call, its result: at once
            self._seen, self._next = seen, 0.0
        if self._clock() >= self._next:
            self._show(reply.to_bundle("…"))

    def finish(self, reply: Reply) -> None:
        if self._slot.is_used or not reply.is_empty:
            self._slot.put(reply.to_bundle())

    def _show(self, bundle: dict[str, str]) -> None:
        if self._clock() >= self._next:
            self._slot.put(bundle)
            length = sum(map(len, bundle.values()))
            self._next = self._clock() + INTERVAL + length / CHARACTERS_PER_SECOND


class TerminalView:
    """Text as it comes. Reasoning stands between marks, and is dim where the terminal has colours."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stdout
        self._colour = self._out.isatty()
        self._reasoned = 0
        """Characters of the reasoning that are written."""
        self._thinking = False
        self._called = 0

    def note(self, text: str) -> None:
        pass

    def update(self, reply: Reply, delta: str) -> None:
        if len(reply.reasoning) < self._reasoned:  # another round
            self._reasoned = 0
        if thought := reply.reasoning[self._reasoned :]:
            self._write(self._dim(thought if self._thinking else f"[thinking]\n{thought}"))
            self._reasoned, self._thinking = len(reply.reasoning), True
        if delta:
            self._end_thinking()
            self._write(delta)
        self._tell(reply.calls)

    def _end_thinking(self) -> None:
        if self._thinking:
            self._write(self._dim("\n[/thinking]") + "\n\n")
            self._thinking = False

    def _tell(self, calls: Sequence[Call]) -> None:
        for call in calls[self._called :]:
            if call.outcome == "asked":
                break
            self._end_thinking()
            self._write(f"\n{plain_call(call)}\n\n")
            self._called += 1

    def finish(self, reply: Reply) -> None:
        self._end_thinking()
        if not reply.is_empty:
            lines = "\n".join(f"[{line}]" for line in (reply.facts, *reply.notes) if line)
            self._write("\n\n" + self._dim(lines) + "\n")

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
