"""Whether a process that should be heard now and then still is. One that is stopped, or hangs, neither
answers nor ends: who waits for it would wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lmnb.engine.protocol import BEAT_SECONDS

__all__ = ["Pulse"]

PATIENCE = 30
PATIENCE_WHILE_LOADING = 180
"""Beats. The libraries of a GPU that come over a slow network hold up the whole process."""


class Pulse:
    """Calls `give_up` when nothing was heard for too many beats. They are counted here, not read off a
    clock: while this process or the machine sleeps, nobody is late."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._most = PATIENCE_WHILE_LOADING
        self._silent = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def heard(self) -> None:
        self._silent = 0

    def loaded(self) -> None:
        self._most = PATIENCE

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self._silent += 1
        if self._silent > self._most:
            self._give_up()
        else:
            self.start()
