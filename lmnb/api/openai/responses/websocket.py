"""The Responses API over a WebSocket: one connection, one response after the other."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import Any, Literal

import msgspec
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lmnb.api.base import MAX_BODY_BYTES, ApiHandler, endpoint
from lmnb.api.body import Body, read_body
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.resource import error_fields
from lmnb.api.openai.responses.run import Run
from lmnb.api.openai.responses.writer import Event
from lmnb.errors import InvalidRequest, LmnbError, MethodNotAllowed, QueueFull

__all__ = ["ResponsesSocket"]

log = logging.getLogger("lmnb.api")
LIFETIME_SECONDS = 60 * 60
MOST_WAITING = 64
MOST_REMEMBERED = 256
PING_SECONDS = 20


class ConnectionLimitReached(InvalidRequest):
    """A connection lives an hour; the client opens another."""

    code = "websocket_connection_limit_reached"


class Envelope(Body):
    """What a message has besides the request."""

    type: Literal["response.create"]
    stream_id: str | None = None
    previous_response_id: str | None = None


class ResponsesSocket(ApiHandler, WebSocketHandler):  # type: ignore[misc]  # both have a `ping`
    """Remembers its own responses that are not stored, until it closes."""

    _worker: asyncio.Task[None] | None = None

    @property
    def max_message_size(self) -> int:
        return MAX_BODY_BYTES

    @property
    def ping_interval(self) -> float:
        """None of Tornado's pings: it closes what does not answer, and synchronous clients answer
        only while they read, not while they run a tool."""
        return 0

    def allowed_methods(self) -> list[str]:
        """GET is no verb here, but the handshake of a WebSocket."""
        return [verb for verb in super().allowed_methods() if verb != "GET"]

    @endpoint
    async def get(self) -> None:  # type: ignore[override]
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise MethodNotAllowed("GET opens a WebSocket here; an HTTP request is a POST.")
        await WebSocketHandler.get(self)

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._memory: dict[str, list[Any]] = {}
        self._waiting: asyncio.Queue[str | bytes] = asyncio.Queue(MOST_WAITING)
        self._lane: str | None = None
        self._previous: str | None = None
        self._worker = loop.create_task(self._work())
        self._clock = loop.call_later(LIFETIME_SECONDS, self._expire)
        self._pings = PeriodicCallback(self._send_ping, PING_SECONDS * 1000)
        self._pings.start()
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        """Kept for the worker, so that the end of the connection is noticed meanwhile."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._fail(QueueFull(f"More than {MOST_WAITING} messages wait on this connection."))

    def on_close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            self._clock.cancel()
            self._pings.stop()

    def on_connection_close(self) -> None:
        ApiHandler.on_connection_close(self)
        WebSocketHandler.on_connection_close(self)

    async def _work(self) -> None:
        try:
            while True:
                await self._answer(await self._waiting.get())
        except WebSocketClosedError:
            pass

    async def _answer(self, message: str | bytes) -> None:
        """Whatever goes wrong is said, and the connection stays usable."""
        self._lane = self._previous = None
        try:
            request = await self._read(message)
            with self.services.activity.busy():
                failed = await self._respond(request)
        except LmnbError as error:
            failed = True
            self._fail(error, self._lane)
        except WebSocketClosedError:
            raise
        except Exception:
            failed = True
            log.exception("A WebSocket turn failed")
            failure = LmnbError("The server failed while it answered. Its log has the details.")
            self._fail(failure, self._lane)
        if failed and self._previous:
            self._memory.pop(self._previous, None)

    async def _read(self, message: str | bytes) -> ResponseRequest:
        data = message.encode() if isinstance(message, str) else message
        envelope = await read_body(data, Envelope)
        self._lane, self._previous = envelope.stream_id, envelope.previous_response_id
        request = await read_body(data, ResponseRequest)
        if request.background:
            raise InvalidRequest("'background' is not for WebSockets.", param="background")
        return request

    async def _respond(self, request: ResponseRequest) -> bool:
        """True if the response failed."""
        run = Run(self.services, request, self._memory)
        await run.prepare()
        await run.begin()
        async with aclosing(run.stream()) as events:
            async for event in events:
                if isinstance(event, Event):
                    await self._send(event.data)
        if run.resource["status"] == "failed":
            return True
        if not request.store or request.previous_response_id in self._memory:
            self._remember(run)
        return False

    def _remember(self, run: Run) -> None:
        self._memory[run.id] = [*run.context.items, *run.resource["output"]]
        if len(self._memory) > MOST_REMEMBERED:
            del self._memory[next(iter(self._memory))]

    async def _send(self, data: bytes) -> None:
        if self._lane is not None:
            data = data[:-1] + b',"stream_id":' + msgspec.json.encode(self._lane) + b"}"
        await self.write_message(data.decode())

    def _fail(self, error: LmnbError, lane: str | None = None) -> None:
        message = {"type": "error", "sequence_number": 0, **error_fields(error)}
        if lane is not None:
            message["stream_id"] = lane
        with suppress(WebSocketClosedError):
            self.write_message(msgspec.json.encode(message).decode())

    def _send_ping(self) -> None:
        """For proxies, which end what is silent."""
        with suppress(WebSocketClosedError):
            WebSocketHandler.ping(self)

    def _expire(self) -> None:
        minutes = LIFETIME_SECONDS // 60
        self._fail(
            ConnectionLimitReached(f"This connection is {minutes} minutes old. Open another.")
        )
        self.close()
