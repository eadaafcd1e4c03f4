"""A listener with a scripted engine behind it, on a free port, in the test's own loop."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from tornado.netutil import bind_sockets

from lmnb.api.services import Activity, Services
from lmnb.models.store.store import ModelStore
from lmnb.server.gate import Gate
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.listener import Listener
from lmnb.server.second import SecondListener
from lmnb.service.database import Database
from lmnb.service.generations import Generations
from lmnb.service.manager import ModelManager
from lmnb.service.settings import Settings
from tests.scripted import Script, ScriptedEngine, ScriptedFactory

KEY = "sk-test"
MCP_SERVER = Path(__file__).parents[1] / "mcp_server.py"


@dataclass
class Api:
    """The server under test, and a client of it."""

    url: str
    services: Services
    factory: ScriptedFactory
    client: httpx.AsyncClient
    model: str
    failures: list[dict[str, Any]] = field(default_factory=list)
    """What the loop's exception handler was told."""

    @property
    def engine(self) -> ScriptedEngine:
        return self.factory.engine

    def script(self, *scripts: Script) -> None:
        """What the next sequences do."""
        self.engine.scripts[:] = scripts

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        if isinstance(body, dict) and path.startswith("/v1/"):
            body = {"model": self.model, **body}
        content = body if isinstance(body, bytes | str) or body is None else json.dumps(body)
        return await self.client.post(path, content=content, **more)

    async def chat(self, text: str = "Hi", **fields: Any) -> httpx.Response:
        return await self.post(
            "/v1/chat/completions", {"messages": [{"role": "user", "content": text}], **fields}
        )

    async def chat_events(self, **fields: Any) -> list[Any]:
        return events(await self.chat(stream=True, **fields))

    @asynccontextmanager
    async def open_stream(self, **fields: Any) -> AsyncIterator[httpx.Response]:
        """A chat stream that can be left in the middle."""
        messages = [{"role": "user", "content": "Hi"}]
        body = {"model": self.model, "messages": messages, "stream": True, **fields}
        async with self.client.stream("POST", "/v1/chat/completions", json=body) as response:
            yield response


def events(response: httpx.Response) -> list[Any]:
    """The data of each event; `[DONE]` as it is."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    datas = [block.removeprefix("data: ") for block in blocks if not block.startswith(":")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


@pytest.fixture
def api(
    jp_asyncio_loop: asyncio.AbstractEventLoop,
    tmp_path: Path,
    tiny_model: Callable[[str], Path],
) -> Iterator[Api]:
    async def start() -> tuple[Api, Listener]:
        factory = ScriptedFactory()
        store = ModelStore([tiny_model("llama")], import_dir=tmp_path / "imported")
        database = Database(tmp_path / "lmnb.sqlite")
        manager = ModelManager(store, factory, settings=Settings(database))
        services = Services(
            store=store,
            manager=manager,
            generations=Generations(manager),
            database=database,
            activity=Activity(),
        )
        sockets = bind_sockets(0, "127.0.0.1")
        keys = KeyRing(ServerKey(KEY), services.keys)
        services.listener = SecondListener(services, keys)
        listener = Listener(services, Gate(keys=keys, key_required=True), sockets)
        listener.start()
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        headers = {"Authorization": f"Bearer {KEY}"}
        client = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60)
        return Api(url, services, factory, client, store.list()[0].id), listener

    api, listener = jp_asyncio_loop.run_until_complete(start())
    jp_asyncio_loop.set_exception_handler(lambda _, context: api.failures.append(context))

    async def stop() -> None:
        await api.client.aclose()
        await api.services.close()
        await listener.stop()

    yield api
    jp_asyncio_loop.run_until_complete(stop())
    assert api.failures == []


@pytest.fixture(scope="session")
def mcp_port() -> Iterator[int]:
    """Of a server of tools, over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, str(MCP_SERVER), str(port)], stderr=subprocess.DEVNULL
    ) as it:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
        it.terminate()


@pytest.fixture
def sdk(api: Api, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[anthropic.AsyncAnthropic]:
    """Anthropic's own client of the server."""
    client = anthropic.DefaultAsyncHttpxClient(trust_env=False, timeout=60)
    yield anthropic.AsyncAnthropic(base_url=api.url, api_key=KEY, http_client=client, max_retries=0)
    jp_asyncio_loop.run_until_complete(client.aclose())
