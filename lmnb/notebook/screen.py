"""Where a verb writes: a cell's output, or a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from lmnb.notebook.display import Slot
from lmnb.notebook.tables import Table

BAR = 24


class Screen(Protocol):
    """Sentences and tables are what was asked for; progress is about the way there."""

    def say(self, text: str) -> None:
        """A sentence, or a few lines."""

    def show(self, table: Table) -> None:
        """A table."""

    def progress(self, label: str) -> Any:
        """A context manager that gives a function to call with shares from 0.0 to 1.0."""


class NotebookScreen:
    """Rich output in the cell that runs."""

    def say(self, text: str) -> None:
        print(text)

    def show(self, table: Table) -> None:
        from IPython.display import display

        display(table)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[float], None]]:
        """A bar that is rewritten in place and ends full, so that the saved notebook reads well."""
        slot = Slot()

        def move(share: float) -> None:
            bar = draw(share)
            slot.show(f"{label} {bar}", f"{label} `{bar}`")

        move(0.0)
        yield move
        move(1.0)


class TerminalScreen:
    """Text. Progress only where somebody watches, and on standard error."""

    def say(self, text: str) -> None:
        print(text)

    def show(self, table: Table) -> None:
        print(table.to_text())

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[float], None]]:
        watched = sys.stderr.isatty()

        def move(share: float) -> None:
            if watched:
                print(f"\r{label} {draw(share)}", end="", file=sys.stderr, flush=True)

        try:
            yield move
        finally:
            if watched:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def draw(share: float) -> str:
    """`██████░░░░░░  50 %`, always of the same width."""
    share = min(max(share, 0.0), 1.0)
    full = round(share * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} {share:4.0%}"
