"""`%lms fix`: the last error explained, and the cell corrected."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError

from lmnb.errors import InvalidRequest
from lmnb.notebook.display.markdown import code_blocks, fenced

SYSTEM = (
    "You help somebody whose Python cell in a Jupyter notebook failed. Say in one or two sentences "
    "what went wrong. Then give the whole corrected cell in one ```python block."
)
MAX_TRACEBACK = 4000
"""Characters of the traceback's end, which names the error."""


@dataclass(frozen=True)
class Failure:
    """A cell, and what it raised."""

    source: str
    traceback: str

    @property
    def prompt(self) -> str:
        """What the model is asked."""
        cell = fenced(self.source, "python")
        return f"The cell:\n\n{cell}\n\nThe error:\n\n{fenced(self.traceback)}"


class LastFailure:
    """Remembers what the last failed cell was. Our own one-line errors are none to explain."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._last: tuple[str, BaseException] | None = None
        shell.events.register("post_run_cell", self._see)

    def forget(self) -> None:
        """Listen no longer."""
        self._shell.events.unregister("post_run_cell", self._see)

    def get(self) -> Failure:
        """Raises InvalidRequest when no cell has failed."""
        source, error = self._last or self._before_us()
        text = "".join(traceback.format_exception(None, error, self._from_cell(error))).strip()
        if len(text) > MAX_TRACEBACK:
            text = f"(…)\n{text[-MAX_TRACEBACK:]}"
        return Failure(source.strip(), text)

    def _see(self, result: Any) -> None:
        error = result.error_in_exec or result.error_before_exec
        if error is not None and not isinstance(error, UsageError | KeyboardInterrupt):
            self._last = result.info.raw_cell, error

    def _before_us(self) -> tuple[str, BaseException]:
        """The error that was there when the extension was loaded."""
        error = getattr(sys, "last_value", None)
        if error is None or isinstance(error, UsageError | KeyboardInterrupt):
            raise InvalidRequest("No cell has failed yet: there is nothing to fix.")
        names = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
        number = next((self._cells[name] for name in names if name in self._cells), None)
        return ("" if number is None else self._shell.user_ns["In"][number]), error

    def _from_cell(self, error: BaseException) -> Any:
        """The traceback without IPython's own frames before the cell."""
        at = error.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename not in self._cells:
            at = at.tb_next
        return at

    @property
    def _cells(self) -> dict[str, int]:
        """The file names that IPython gives to cells, with their numbers."""
        return getattr(self._shell.compile, "_filename_map", {})


def correction(answer: str) -> str:
    """The cell that the model proposes: its last block of Python. Empty where there is none."""
    blocks = [code for kind, code in code_blocks(answer) if kind.lower() in ("", "python", "py")]
    return blocks[-1].strip() if blocks else ""
