"""What is tried again, when, and for how long."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lmnb.errors import HubError, HubUnreachable
from lmnb.models.download.control import Control

__all__ = ["Patience", "Retries", "Trouble"]


class Trouble(Exception):
    """Something that may be over the next time. `tries`: after so many in a row it is not; None: as
    long as there is patience."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, tries: int | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.retry_after, self.tries = message, retry_after, tries


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. The first wait, each twice as long as the one before; the longest; and how long
    nothing may come before it is given up: a train's tunnel, a router's restart."""

    first: float = 1.0
    longest: float = 30.0
    in_all: float = 900.0
    silence: float = 20.0
    """On an open connection."""


class Retries:
    """Counts what went wrong since something last came."""

    def __init__(self, patience: Patience, control: Control) -> None:
        self._patience, self._control = patience, control
        self._furthest = -1
        self._count, self._answers, self._since = 0, 0, time.monotonic()

    def wait(self, trouble: Trouble, position: int) -> None:
        """Until the next try. Raises HubUnreachable or HubError when there is to be none, and Stopped.

        `position`: how many bytes have arrived.
        """
        if position > self._furthest:
            self._furthest, self._since = position, time.monotonic()
            self._count = self._answers = 0
        self._count += 1
        if trouble.tries is not None:
            self._answers += 1
            if self._answers >= trouble.tries:
                raise HubError(f"{trouble.message}; tried {self._answers} times")
        pause = min(self._patience.first * 2 ** (self._count - 1), self._patience.longest)
        if trouble.retry_after is not None:
            pause = max(pause, trouble.retry_after)
        gone = time.monotonic() - self._since
        if gone + pause > self._patience.in_all:
            asked = f", and asks to wait {pause:.0f} s" if trouble.retry_after else ""
            raise HubUnreachable(
                f"{trouble.message}{asked}. Nothing came for {gone:.0f} s; what has arrived is kept."
            )
        self._control.problem = f"{trouble.message}; trying again in {pause:.0f} s"
        self._control.wait(pause)
