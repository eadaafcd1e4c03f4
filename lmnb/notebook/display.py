"""An answer while it comes: rewritten in place in a notebook, written on in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO, Any, Protocol

from lmnb.notebook.interrupts import held_back
from lmnb.notebook.reply import Reply

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
    """Ready-made representations, best last."""

    def __init__(self, plain: str, markdown: str) -> None:
        self._data = {"text/plain": plain, "text/markdown": markdown}

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
        from IPython.display import display

        bundle = Bundle(plain, markdown)
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
        self._started = False

    def note(self, text: str) -> None:
        self._show(f"[{text}]", f"<sub>{text}</sub>")

    def update(self, reply: Reply, delta: str) -> None:
        if not self._started:
            self._started, self._next = True, 0.0
        self._show(reply.to_plain("…"), reply.to_markdown("…"))

    def finish(self, reply: Reply) -> None:
        if self._slot.is_used or not reply.is_empty:
            self._slot.show(reply.to_plain(), reply.to_markdown())

    def _show(self, plain: str, markdown: str) -> None:
        if self._clock() >= self._next:
            self._slot.show(plain, markdown)
            self._next = self._clock() + INTERVAL + len(markdown) / CHARACTERS_PER_SECOND


class TerminalView:
    """Text as it comes. Reasoning is dim where the terminal has colours."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stdout
        self._colour = self._out.isatty()
        self._reasoned = 0

    def note(self, text: str) -> None:
        pass

    def update(self, reply: Reply, delta: str) -> None:
        thought = reply.reasoning[self._reasoned :]
        if thought:
            self._write(self._dim(thought))
            self._reasoned = len(reply.reasoning)
        if delta:
            if self._reasoned and len(reply.text) == len(delta):
                self._write("\n\n")
            self._write(delta)

    def finish(self, reply: Reply) -> None:
        if not reply.is_empty:
            self._write("\n\n" + self._dim(f"[{reply.facts}]") + "\n")

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
