"""Models that nobody has used for their time go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

LONGEST_NAP = 30.0


class Idling(Protocol):
    """What is watched. `ttl` in seconds; None: it stays."""

    id: str
    ttl: float | None

    @property
    def last_used(self) -> float: ...

    @property
    def in_flight(self) -> int: ...


class IdleWatch:
    """Watches as long as something has a time to live; `wake` it when something got one."""

    def __init__(
        self, models: Callable[[], Sequence[Idling]], unload: Callable[[str], Awaitable[None]]
    ) -> None:
        self._models = models
        self._unload = unload
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while (nap := await self._sweep()) is not None:
            self._news.clear()
            try:
                async with asyncio.timeout(nap):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _sweep(self) -> float | None:
        """Unload what is due; seconds until it is worth looking again, None if it never is."""
        nap = None
        for model in list(self._models()):
            if model.ttl is None:
                continue
            left = model.ttl - (time.time() - model.last_used)
            if left <= 0 and not model.in_flight:
                await self._unload(model.id)
            else:
                left = min(max(left, 0.05), LONGEST_NAP) if not model.in_flight else 1.0
                nap = left if nap is None else min(nap, left)
        return nap
