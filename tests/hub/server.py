"""The stand-in itself: two origins on loopback, in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from tests.hub.base import Request
from tests.hub.catalogue_api import API_ROUTES, NothingHandler
from tests.hub.content import CDN_ROUTES, FILE_ROUTES, content_url
from tests.hub.faults import Fault, Faults
from tests.hub.repository import Repository

__all__ = ["StandInHub", "running_hub"]


class StandInHub:
    """What it has, what goes wrong, and what came. To be used from any thread or process."""

    def __init__(self, *repositories: Repository) -> None:
        self.repositories = {one.id: one for one in repositories}
        self.tokens: dict[str, str] = {"hf_reader": "reader", "hf_stranger": "stranger"}
        """Token to user."""
        self.faults = Faults()
        self.requests: list[Request] = []
        self.page: int | None = None
        """Entries a page, to make pages of few."""
        self.signature = "1"
        """Content addresses that carry another have expired."""
        self.url = self.cdn_url = ""
        self._sent: Counter[str] = Counter()

    def add(self, *repositories: Repository) -> None:
        self.repositories.update({one.id: one for one in repositories})

    def arm(self, file: str, *faults: Fault) -> None:
        """Let these happen to `owner/repository/path`, one after the other."""
        self.faults.arm(file, *faults)

    def sent(self, file: str) -> int:
        """Bytes of `owner/repository/path` that were sent so far."""
        return self._sent[file]

    def asked(self, method: str, part: str = "") -> list[Request]:
        """The requests so far with that method, and `part` in their path."""
        return [one for one in self.requests if one.method == method and part in one.path]

    def expire(self) -> None:
        """Addresses of content that were given out so far are no longer good."""
        self.signature = str(int(self.signature) + 1)

    def environ(self, home: Path) -> dict[str, str]:
        """Environment variables that make a process use this Hub, and no other cache than `home`."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    # -- for the handlers

    def count(self, file: str, length: int) -> None:
        self._sent[file] += length

    def content_url(self, name: str, sha256: str) -> str:
        return content_url(self.cdn_url, name, sha256, self.signature)

    # -- the thread

    def start(self, port: int = 0) -> None:
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(port, started)), name="hub", daemon=True
        )
        self._thread.start()
        if not started.wait(20):
            raise RuntimeError("the stand-in Hub did not start")

    def stop(self) -> None:
        """Harmless twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(20)

    def wait(self) -> None:
        """Until somebody stops it."""
        while self._thread.is_alive():
            self._thread.join(1)

    async def _serve(self, port: int, started: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self.stalling = self._stopped
        hub, self.url = _listen([*API_ROUTES, *FILE_ROUTES, (r".*", NothingHandler)], self, port)
        cdn, url = _listen(CDN_ROUTES, self)
        # huggingface_hub 1 takes another port of the same host for the same server.
        self.cdn_url = url.replace("127.0.0.1", "localhost")
        started.set()
        await self._stopped.wait()
        for server in (hub, cdn):
            server.stop()
        for server in (hub, cdn):
            await server.close_all_connections()


def _listen(routes: Any, hub: StandInHub, port: int = 0) -> tuple[HTTPServer, str]:
    server = HTTPServer(Application(routes, hub=hub, log_function=lambda _: None))
    sockets = bind_sockets(port, "127.0.0.1")
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


@contextmanager
def running_hub(*repositories: Repository, port: int = 0) -> Iterator[StandInHub]:
    hub = StandInHub(*repositories)
    hub.start(port)
    try:
        yield hub
    finally:
        hub.stop()
