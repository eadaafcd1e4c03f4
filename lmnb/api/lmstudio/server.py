"""GET /api/v1/server, POST /api/v1/server/start and /stop: the port of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body, Integer
from lmnb.errors import InvalidRequest
from lmnb.service.listener import ListenerControl, ListenerState

__all__ = ["ServerHandler", "ServerStartHandler", "ServerStopHandler", "StartRequest"]


class StartRequest(Body):
    port: Annotated[Integer, Field(ge=0, le=65535)] = 1234
    """0 takes any that is free."""
    cors: bool = False
    require_key: bool = False


class _Handler(ApiHandler):
    @property
    def listener(self) -> ListenerControl:
        listener = self.services.listener
        if listener is None:
            raise InvalidRequest("This server has no port of its own to open or close.")
        return listener

    def tell(self, state: ListenerState) -> None:
        self.reply(asdict(state))


class ServerHandler(_Handler):
    """Where it listens."""

    @endpoint
    async def get(self) -> None:
        self.tell(self.listener.state())

    head = get


class ServerStartHandler(_Handler):
    """Listen. A server that does already takes the new settings."""

    @endpoint(needs="admin")
    async def post(self) -> None:
        body = self.request.body.strip()
        request = await self.read(StartRequest) if body else StartRequest()
        self.tell(
            await self.listener.start(
                port=request.port, cors=request.cors, require_key=request.require_key
            )
        )


class ServerStopHandler(_Handler):
    """Listen no more. Asked on that very port, this is the last answer there."""

    @endpoint(needs="admin")
    async def post(self) -> None:
        self.tell(await self.listener.stop())
