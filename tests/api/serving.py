"""A listener with real engines behind it, for models in a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tornado.netutil import bind_sockets

from lmnb.api.services import Services
from lmnb.engine.process import start_engine
from lmnb.models.store.store import ModelStore
from lmnb.server.gate import Gate
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.listener import Listener
from lmnb.service.database import Database
from lmnb.service.generations import Generations
from lmnb.service.manager import ModelManager
from lmnb.service.settings import Settings

KEY = "sk-test"


@asynccontextmanager
async def real_server(models: Path, folder: Path) -> AsyncIterator[tuple[str, Services]]:
    """Its address, and its services. `models` is a root; `folder` takes everything else."""
    store = ModelStore([models], import_dir=folder)
    database = Database(folder / "lmnb.sqlite")
    manager = ModelManager(store, start_engine, settings=Settings(database))
    services = Services(
        store=store, manager=manager, generations=Generations(manager), database=database
    )
    sockets = bind_sockets(0, "127.0.0.1")
    gate = Gate(keys=KeyRing(ServerKey(KEY), services.keys), key_required=True)
    listener = Listener(services, gate, sockets)
    listener.start()
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}", services
    finally:
        await services.close()
        await listener.stop()
