"""The client for `async` code: what cells await, and what runs beside other things."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import httpx

from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.chat_stream import USAGE, ChatReader
from lmnb.notebook.connection.load_stream import LoadReader, is_stream, load_request
from lmnb.notebook.connection.transport import PATIENT, check, failures, http_options, json_object
from lmnb.notebook.connection.wire import ChatEvent


class AsyncClient:
    """One server, in one event loop. Failures are the same as `Client`'s."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # Who asks a thousand things at once means it: the server queues them.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(**http_options(connection), limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def json(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> dict[str, Any]:
        """What a route answers."""
        with failures(self.connection.base_url):
            return json_object(await self._http.request(method, path, json=body, **options))

    async def load(
        self,
        model: str,
        options: Mapping[str, Any] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """`Client.load`. Cancelling it closes the stream, which ends the load."""
        reader = LoadReader(model, progress)
        async with self._stream("api/v1/models/load", load_request(model, options)) as response:
            if not is_stream(response):
                await response.aread()
                return cast(dict[str, Any], response.json())
            async for chunk in response.aiter_bytes():
                reader.feed(chunk)
            return reader.end()

    async def chat(
        self, model: str, messages: Sequence[Mapping[str, Any]], **parameters: Any
    ) -> AsyncGenerator[ChatEvent]:
        """A streamed answer. Closing the iterator closes the socket, which stops the generation."""
        body = {**parameters, "model": model, "messages": list(messages), **USAGE}
        reader = ChatReader(model)
        async with self._stream("v1/chat/completions", body) as response:
            async for chunk in response.aiter_bytes():
                for event in reader.feed(chunk):
                    yield event
            yield reader.end()

    @asynccontextmanager
    async def _stream(self, path: str, body: Any) -> AsyncIterator[httpx.Response]:
        request = self._http.stream("POST", path, json=body, timeout=PATIENT)
        with failures(self.connection.base_url):
            async with request as response:
                if response.is_error:
                    await response.aread()
                check(response)
                yield response
