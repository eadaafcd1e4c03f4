"""The second listener: LM Studio's address space on a port of its own, beside a notebook server."""

from __future__ import annotations

import asyncio
from typing import Literal

from lmnb.api.services import Services
from lmnb.errors import InvalidRequest, LmnbError
from lmnb.server.gate import Gate
from lmnb.server.keys import KeyRing
from lmnb.server.listener import Listener
from lmnb.server.ports import bind_loopback
from lmnb.service.listener import ListenerState

__all__ = ["SecondListener"]

HOST = "127.0.0.1"
LAST_WORDS_SECONDS = 0.5
"""For the answer to the request that asked to stop, and whatever else is nearly done."""


class SecondListener:
    """A `ListenerControl`. Off until somebody asks for it; in the loop that runs then."""

    def __init__(self, services: Services, keys: KeyRing) -> None:
        self._services = services
        self._keys = keys
        self._gate: Gate | None = None
        self._listener: Listener | None = None
        self._port: int | None = None
        self._error: str | None = None
        self._changing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    def state(self) -> ListenerState:
        if self._gate is None:
            return ListenerState(error=self._error)
        return ListenerState(
            running=True,
            host=HOST,
            port=self._port,
            base_url=f"http://{HOST}:{self._port}/",
            cors=self._gate.cors,
            key_required=self._gate.asks_everybody,
        )

    async def start(self, *, port: int, cors: bool, require_key: bool) -> ListenerState:
        async with self._changing:
            if self._gate is None or port not in (self._port, 0):
                await self._move(port)
            assert self._gate is not None
            self._gate.cors, self._gate.key_required = cors, require_key
        return self._announced("server.start")

    async def stop(self) -> ListenerState:
        async with self._changing:
            if self._listener is None:
                raise InvalidRequest("The server is not running.", code="server_not_running")
            self._retire(LAST_WORDS_SECONDS)
        return self._announced("server.stop")

    async def close(self) -> None:
        self._retire(0)
        await asyncio.gather(*self._ending)

    async def _move(self, port: int) -> None:
        """Listen on `port`, and only then no more where we did."""
        try:
            sockets = await bind_loopback(port)
        except LmnbError as error:
            self._error = error.message
            raise
        self._retire(LAST_WORDS_SECONDS)
        self._gate = Gate(keys=self._keys)
        self._listener = Listener(self._services, self._gate, sockets)
        self._port, self._error = sockets[0].getsockname()[1], None
        self._listener.start()

    def _retire(self, seconds: float) -> None:
        """Give the port back now, and close what is open there after so many seconds."""
        listener, self._listener, self._gate, self._port = self._listener, None, None, None
        if listener is not None:
            listener.close_port()
            task = asyncio.ensure_future(listener.stop(seconds))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _announced(self, kind: Literal["server.start", "server.stop"]) -> ListenerState:
        state = self.state()
        self._services.notices.publish(kind, {"base_url": state.base_url, "port": state.port})
        return state
