"""A manager of two tiny models, with scripted engines."""

import asyncio

import pytest

from lmnb.models.store.store import ModelStore
from lmnb.service.database import Database
from lmnb.service.manager import ModelManager
from lmnb.service.settings import Settings
from tests.scripted import ScriptedEngine, ScriptedFactory


class Factory(ScriptedFactory):
    """A new engine for each load; `gate` holds loads back, `ended` those that are cancelled."""

    gate: asyncio.Event | None = None
    ended: asyncio.Event | None = None
    begun = 0

    async def __call__(self, path, options, progress=lambda _: None):
        self.engine = ScriptedEngine()
        self.begun += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            if self.ended is not None:
                await self.ended.wait()
            raise
        return await super().__call__(path, options, progress)


@pytest.fixture
def folder(tiny_model, tmp_path):
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.gguf").write_bytes(tiny_model("llama").read_bytes())
    return tmp_path


@pytest.fixture
def factory():
    return Factory()


@pytest.fixture
def make(folder, factory, jp_asyncio_loop):
    """A manager, with options of its own."""
    database = Database(folder / "lmnb.sqlite")
    managers = []

    def make(**options):
        store = ModelStore([folder], import_dir=folder)
        managers.append(ModelManager(store, factory, settings=Settings(database), **options))
        return managers[-1]

    yield make
    for manager in managers:
        jp_asyncio_loop.run_until_complete(manager.close())
    database.close()


@pytest.fixture
def manager(make):
    return make()
