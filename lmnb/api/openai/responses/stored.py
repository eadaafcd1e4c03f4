"""What was answered before: GET and DELETE /v1/responses/{id}, its input items, and /cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.responses.paging import page
from lmnb.api.openai.responses.resource import Resource, error_json
from lmnb.api.openai.responses.sse import send_events
from lmnb.api.openai.responses.writer import Event
from lmnb.api.query import Query, parse_query
from lmnb.errors import InvalidRequest, NotFound, ServiceClosed
from lmnb.service.responses import StoredResponse

__all__ = ["CancelHandler", "InputItemsHandler", "ResponseHandler", "ResponseQuery"]

UNFINISHED = ("queued", "in_progress")


class ResponseQuery(Query):
    stream: bool = False
    starting_after: Annotated[int, Field(ge=-1)] = -1


class _StoredHandler(ApiHandler):
    async def find(self, id: str) -> StoredResponse:
        """Raises NotFound."""
        stored = await asyncio.to_thread(self.services.responses.get, id)
        if stored is None:
            raise NotFound(f"Response with id '{id}' not found.", param="response_id")
        return stored

    async def current(self, id: str) -> Resource:
        """As it is now: while it is written here, or as it was stored. Raises NotFound."""
        if running := self.services.runs.get(id):
            return running.run.resource
        stored = await self.find(id)
        if stored.orphaned:
            gone = ServiceClosed("The server ended while it wrote this response.")
            stored.response.update(status="failed", error=error_json(gone))
            store = self.services.responses
            await asyncio.to_thread(store.save, stored.response, stored.input)
        return stored.response


class ResponseHandler(_StoredHandler):
    @endpoint
    async def get(self, id: str) -> None:
        asked = parse_query(self, ResponseQuery)
        if asked.stream:
            await send_events(self, await self._events(id, asked.starting_after))
        else:
            self.reply(await self.current(id))

    @endpoint
    async def delete(self, id: str) -> None:
        if running := self.services.runs.get(id):
            await running.cancel()
        if not await asyncio.to_thread(self.services.responses.delete, id):
            raise NotFound(f"Response with id '{id}' not found.", param="response_id")
        self.reply({"id": id, "object": "response", "deleted": True})

    async def _events(self, id: str, after: int) -> AsyncGenerator[Event, None]:
        if running := self.services.runs.get(id):
            return running.follow(after)
        response = await self.current(id)
        if response["status"] in UNFINISHED:
            raise InvalidRequest(f"The response '{id}' is being written by another server.")
        datas = await asyncio.to_thread(self.services.responses.events, id)
        return _replay(datas or [_last_event(response)], after)


class InputItemsHandler(_StoredHandler):
    @endpoint
    async def get(self, id: str) -> None:
        self.reply(page(self, (await self.find(id)).input))


class CancelHandler(_StoredHandler):
    """Cancelling what has ended changes nothing."""

    @endpoint
    async def post(self, id: str) -> None:
        if running := self.services.runs.get(id):
            await running.cancel()
        response = await self.current(id)
        if not response["background"]:
            raise InvalidRequest("Only responses with 'background' set to true can be cancelled.")
        if response["status"] in UNFINISHED:
            raise InvalidRequest(f"The response '{id}' is being written by another server.")
        self.reply(response)


async def _replay(datas: list[bytes], after: int) -> AsyncGenerator[Event, None]:
    for data in datas[after + 1 :]:
        kind: dict[str, Any] = msgspec.json.decode(data)
        yield Event(kind["type"], data)


def _last_event(response: Resource) -> bytes:
    """Of a response whose events were lost with the server that wrote it."""
    kind = f"response.{response['status']}"
    return msgspec.json.encode({"type": kind, "sequence_number": 0, "response": response})
