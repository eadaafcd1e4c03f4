"""Where a verb writes: a cell's output, or a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from lmnb.notebook.display.tables import Table
from lmnb.notebook.display.views import Slot
from lmnb.notebook.person import NOBODY, Someone

BAR = 24
INTERVAL = 0.2
"""Seconds between pictures of a bar in a notebook: each is a message to every front end."""


class Progress(Protocol):
    """Something that takes a while."""

    def move(self, share: float, detail: str = "") -> None:
        """It is done to this share, 0.0 to 1.0; `detail` is a word on how it goes."""

    def done(self, text: str) -> None:
        """It is done, and this is what came of it."""

    def failed(self) -> None:
        """It will not be done; the error follows."""


class Screen(Protocol):
    """Sentences, tables, progress, questions."""

    program: str
    """What stands before a verb: `%lms` or `lmnb`."""
    person: Someone
    """Who can be asked."""

    def say(self, text: str) -> None:
        """A sentence about what was done, or could be."""

    def write(self, text: str) -> None:
        """What was asked for, where it is text."""

    def show(self, table: Table) -> None:
        """A table."""

    def progress(self, label: str) -> Progress:
        """The start of something that takes a while."""


@contextmanager
def progressing(screen: Screen, label: str) -> Iterator[Progress]:
    """Of what goes on in this block: what ends it early ends the bar."""
    progress = screen.progress(label)
    try:
        yield progress
    except BaseException:
        progress.failed()
        raise


class NotebookScreen:
    """Rich output in the cell that runs."""

    program = "%lms"

    def __init__(self, person: Someone = NOBODY) -> None:
        self.person = person

    def say(self, text: str) -> None:
        print(text)

    write = say

    def show(self, table: Table) -> None:
        from IPython.display import display

        display(table)

    def progress(self, label: str) -> Progress:
        return NotebookProgress(label)


class NotebookProgress:
    """A bar that is rewritten in place; what came of it takes its place in the saved notebook."""

    def __init__(self, label: str) -> None:
        self._label, self._share, self._slot = label, 0.0, Slot()
        self._next = 0.0

    def move(self, share: float, detail: str = "") -> None:
        self._share = share
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL
        bar, tail = draw(share), f" {detail}" if detail else ""
        self._slot.show(f"{self._label} {bar}{tail}", f"{self._label} `{bar}`{tail}")

    def done(self, text: str) -> None:
        self._slot.show(text, text)

    def failed(self) -> None:
        if self._slot.is_used:
            text = f"{self._label}: stopped at {self._share:.0%}"
            self._slot.show(text, text)


class TerminalScreen:
    """Text. Progress only where somebody watches, and on standard error."""

    def __init__(
        self, person: Someone = NOBODY, *, program: str = "%lms", messages: IO[str] | None = None
    ) -> None:
        self.person, self.program = person, program
        self._messages = messages
        """Where sentences go; None: to standard output, with what was asked for."""

    def say(self, text: str) -> None:
        print(text, file=self._messages)

    def write(self, text: str) -> None:
        print(text)

    def show(self, table: Table) -> None:
        print(table.to_text())

    def progress(self, label: str) -> Progress:
        return TerminalProgress(label, self.say)


class TerminalProgress:
    """A bar on the last line of a terminal; nothing in a pipe."""

    def __init__(self, label: str, say: Callable[[str], None]) -> None:
        self._label, self._watched = label, sys.stderr.isatty()
        self._say = say

    def move(self, share: float, detail: str = "") -> None:
        self._write(f"\r{self._label} {draw(share)} {detail}\x1b[K")

    def done(self, text: str) -> None:
        self.failed()
        self._say(text)

    def failed(self) -> None:
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._watched:
            print(text, end="", file=sys.stderr, flush=True)


def draw(share: float) -> str:
    """`██████░░░░░░  50%`, always of the same width."""
    share = min(max(share, 0.0), 1.0)
    full = round(share * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} {share:4.0%}"
