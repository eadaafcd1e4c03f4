"""One who follows something that happens: an async iterator over what is put before it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

__all__ = ["Following"]

T = TypeVar("T")


class Following(Generic[T]):
    """Goes on until it is closed from either side. Use it as `with`. For the event loop's thread.

    `put` never waits: what is dropped for a reader that falls behind is for subclasses to say.
    """

    def __init__(self, registry: set[Self]) -> None:
        self._registry = registry
        self._waiting: deque[T] = deque()
        self._news = asyncio.Event()
        self._open = True
        registry.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._waiting:
            if not self._open:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """What was put can still be read."""
        self._open = False
        self._registry.discard(self)
        self._news.set()

    def put(self, item: T) -> None:
        self._waiting.append(item)
        self._news.set()
