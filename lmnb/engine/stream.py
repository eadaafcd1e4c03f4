"""What a sequence of an engine process says, as it comes over the pipe."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import lmnb.errors
from lmnb.engine.events import Embedded, Failed, Finished, SequenceEvent
from lmnb.errors import EngineError, LmnbError

__all__ = ["ProcessStream", "error_named"]


class ProcessStream:
    """The events of one sequence, or of one request for vectors."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._events: deque[SequenceEvent | LmnbError] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._done = False

    def __aiter__(self) -> AsyncIterator[SequenceEvent]:
        return self

    async def __anext__(self) -> SequenceEvent:
        while not self._events:
            if self._done:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        event = self._events.popleft()
        if isinstance(event, LmnbError):
            raise event
        return event

    def cancel(self) -> None:
        if not self._done:
            self._cancel()

    def push(self, event: SequenceEvent | LmnbError) -> None:
        """An event came; the last one closes the stream."""
        if isinstance(event, Failed):
            event = error_named(event.kind, event.message, event.param)
        self._done = self._done or isinstance(event, Finished | Embedded | LmnbError)
        self._events.append(event)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def error_named(kind: str, message: str, param: str | None = None) -> LmnbError:
    """The error that the other process meant."""
    found: type[LmnbError] = getattr(lmnb.errors, kind, EngineError)
    return found(message, param=param)
