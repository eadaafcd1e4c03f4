"""One thread in which the widgets' requests run, so that clicks never wait for the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.session import Session, session

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, begun when it is first needed, with a client in it."""

    def __init__(self, session: Session = session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: AsyncClient | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin `work`. Cancelling the future cancels it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = self._loop.run_forever
                threading.Thread(target=run, name="lmnb-widgets", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def client(self) -> AsyncClient:
        """The client of this process's server. Raises ServerNotFound."""
        connection = await asyncio.to_thread(self._session.connection)
        if self._client is None or self._client.connection != connection:
            if self._client is not None:
                await self._client.__aexit__()
            self._client = AsyncClient(connection)
        return self._client

    async def blocking(self, work: Callable[[Client], T]) -> T:
        """What `work` gives, in a thread, with the client that waits."""
        return await asyncio.to_thread(lambda: work(self._session.client()))


loop = Loop()
