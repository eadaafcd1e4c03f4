"""Server-sent events: cheap per event, alive while nothing is said, never faster than the reader."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from lmnb.api.base import ApiHandler
from lmnb.errors import LmnbError

__all__ = ["DONE", "EventStream", "event"]

DONE = b"data: [DONE]\n\n"
"""OpenAI's last word."""
KEEP_ALIVE_SECONDS = 5.0


def event(value: Any, name: str | None = None) -> bytes:
    """One event, ready to send."""
    head = f"event: {name}\ndata: ".encode() if name else b"data: "
    return head + msgspec.json.encode(value) + b"\n\n"


class EventStream:
    """An open 200. Use as `async with`: leaving it ends the response.

    `send` takes whole events. Those sent within one turn of the event loop share one write to the
    socket, so a burst costs one system call and no event is ever split by us.
    """

    def __init__(self, handler: ApiHandler) -> None:
        self._handler = handler
        self._connection: Any = handler.request.connection
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._written: asyncio.Future[None] | None = None
        self._last_sent = self._loop.time()
        self._clock: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> EventStream:
        handler = self._handler
        handler.set_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.set_header("Cache-Control", "no-cache")
        handler.set_header("X-Accel-Buffering", "no")
        if handler.settings.get("compress_response"):
            handler.set_header("Content-Encoding", "identity")  # or Tornado would hold events back
        self._connection.stream.set_nodelay(True)  # or the kernel would collect small writes
        self._clock = self._loop.call_later(KEEP_ALIVE_SECONDS, self._keep_alive)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._clock is not None
        self._clock.cancel()
        if not self._handler.client_gone:
            self._flush()
            self._handler.finish()

    def send(self, events: bytes) -> None:
        """Whole events, to be written before the loop turns."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(events)

    def comment(self, text: str) -> None:
        """What clients skip: it shows proxies, and people who look, that we are alive."""
        self.send(self._handler.keep_alive(text))

    def fail(self, error: LmnbError) -> None:
        """The end of a stream that cannot go on, where SDKs look for it."""
        self.send(event(self._handler.error_body(error), self._handler.error_event))

    async def ready(self) -> None:
        """Wait while the client reads slower than we write. Raises StreamClosedError when it left."""
        if self._written is not None and not self._written.done():
            await self._written

    def _flush(self) -> None:
        if not self._waiting or self._handler.client_gone:
            self._waiting.clear()
            return
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._last_sent = self._loop.time()
        if self._handler._headers_written:
            # What RequestHandler.flush comes to once the headers are out, at a third of its cost.
            self._written = self._connection.write(chunk)
        else:
            self._handler.write(chunk)
            self._written = self._handler.flush()

    def _keep_alive(self) -> None:
        quiet = self._loop.time() - self._last_sent
        if quiet >= KEEP_ALIVE_SECONDS:
            self.send(self._handler.ping)
            quiet = 0.0
        self._clock = self._loop.call_later(KEEP_ALIVE_SECONDS - quiet, self._keep_alive)
