"""Answers that may have to wait until a model is loaded for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

from lmnb.service.loads import ProgressCallback

__all__ = ["Starting"]

T = TypeVar("T")


class Starting(Generic[T]):
    """What `start` does, begun at once. It is told where to report a load's progress."""

    def __init__(self, start: Callable[[ProgressCallback], Awaitable[T]]) -> None:
        self._loading = asyncio.Event()
        self._progress = 0.0
        self._task = asyncio.ensure_future(start(self._hear))

    async def soon(self, patience: float) -> bool:
        """Wait until it is done, well or not. False: a model is being loaded for it, and has been for
        `patience` seconds."""
        await asyncio.wait([self._task], timeout=patience)
        if self._task.done():
            return True
        loading = asyncio.ensure_future(self._loading.wait())
        try:
            await asyncio.wait([self._task, loading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            loading.cancel()
        return self._task.done()

    async def steps(self, every: float) -> AsyncGenerator[float, None]:
        """How far the load is, 0.0 to 1.0, every so many seconds, until it is done."""
        while not self._task.done():
            yield self._progress
            await asyncio.wait([self._task], timeout=every)

    async def result(self) -> T:
        """Raises what went wrong. A caller that goes away ends it."""
        return await self._task

    def end(self) -> T | None:
        """Stop, if it is still under way; what came of it, if anything did."""
        if self._task.done() and not self._task.cancelled() and not self._task.exception():
            return self._task.result()
        self._task.cancel()
        return None

    def _hear(self, progress: float) -> None:
        self._progress = progress
        self._loading.set()
