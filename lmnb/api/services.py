"""What every handler may ask for: the services, and who is counted as busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from lmnb.models.hub.hub import Hub
from lmnb.service.catalogue import Catalogue
from lmnb.service.database import Database
from lmnb.service.downloads.downloads import DOWNLOADS, Downloads
from lmnb.service.estimates import Estimates
from lmnb.service.keys import Keys
from lmnb.service.listener import ListenerControl
from lmnb.service.log import Log
from lmnb.service.mcp.servers import McpServers
from lmnb.service.notices import Notices
from lmnb.service.responses import ResponseStore
from lmnb.service.settings import Settings

if TYPE_CHECKING:
    from lmnb.api.openai.responses.background import Background
    from lmnb.models.store.store import ModelStore
    from lmnb.service.generations import Generations
    from lmnb.service.manager import ModelManager

__all__ = ["SETTING", "Activity", "Services"]

SETTING = "lmnb_services"
"""Where the Services are in a Tornado application's settings."""


class Activity:
    """Counts requests that compute, and says so while they last.

    Jupyter counts a request as activity only when it ends, so a long stream would let the server be
    culled under it: `stamp` is called at once, every ten seconds, and at the end.
    """

    INTERVAL_MS = 10_000

    def __init__(self, stamp: Callable[[], None] = lambda: None) -> None:
        self._stamp = stamp
        self._clock = PeriodicCallback(stamp, self.INTERVAL_MS)
        self.running = 0

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Something computes for somebody, inside this block."""
        self.running += 1
        self._stamp()
        if not self._clock.is_running():
            self._clock.start()
        try:
            yield
        finally:
            self.running -= 1
            self._stamp()
            if not self.running:
                self._clock.stop()


@dataclass(slots=True, kw_only=True)
class Services:
    """One per server, in its settings."""

    store: ModelStore
    manager: ModelManager
    generations: Generations
    database: Database = field(default_factory=Database)
    responses: ResponseStore = field(init=False)
    keys: Keys = field(init=False)
    log: Log = field(init=False)
    listener: ListenerControl | None = None
    """The port of its own, where the host has one to open and close."""
    runs: dict[str, Background] = field(default_factory=dict)
    """Responses that are written in the background, by id."""
    notices: Notices = field(init=False)
    settings: Settings = field(init=False)
    estimates: Estimates = field(default_factory=Estimates)
    hub: Hub = field(default_factory=Hub)
    catalogue: Catalogue = field(init=False)
    downloads: Downloads = field(init=False)
    downloads_at_once: int = DOWNLOADS
    mcp: McpServers = field(default_factory=McpServers)
    activity: Activity = field(default_factory=Activity)
    patience: float = 1.0
    """Seconds that a stream waits for a load before it says so. Until then errors have a status."""
    started: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.responses = ResponseStore(self.database)
        self.notices = self.manager.notices
        self.settings = self.manager.choices.settings
        self.estimates.loaded = self.manager.loaded
        self.keys = Keys(self.database)
        self.log = self.generations.log
        self.catalogue = Catalogue(self.hub, self.store, self.estimates.machine.look)
        self.downloads = Downloads(
            self.catalogue,
            self.database,
            self.notices,
            limit=self.downloads_at_once,
            busy=self.activity.busy,
            key_of=self.store.id_of,
        )

    async def start(self) -> None:
        """Go on with what an earlier server left. To be called once, when this one serves."""
        await self.downloads.recover()

    async def close(self) -> None:
        """Unload everything; what was being written says so where it is stored."""
        self.notices.close()
        self.log.close()
        await asyncio.gather(self.manager.close(), self.downloads.close())
        if self.listener is not None:
            await self.listener.close()
        if tasks := [background.task for background in self.runs.values()]:
            await asyncio.wait(tasks)
        await asyncio.to_thread(self.database.close)
