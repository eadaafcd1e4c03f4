"""Which models are loaded, and how they come and go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from lmnb.engine import EngineFactory
from lmnb.engine.options import LoadOptions
from lmnb.errors import ModelNotFound, ServiceClosed
from lmnb.models.identifiers import check_identifier
from lmnb.models.store.index import Index
from lmnb.models.store.store import ModelRecord, ModelStore
from lmnb.service.eviction import MemoryGuard, RoomMaker
from lmnb.service.idle import IdleWatch
from lmnb.service.instances import Instances, LoadedModel, LoadedModels, Target
from lmnb.service.load_choices import NOTHING, LoadChoices
from lmnb.service.loads import Loads, ProgressCallback
from lmnb.service.metrics import watch
from lmnb.service.notices import Notices
from lmnb.service.parts import check_parts
from lmnb.service.settings import Settings
from lmnb.service.targets import Targets
from lmnb.service.unloading import UNLOAD_WAIT, Unloader

__all__ = ["JIT_TTL", "ModelManager"]

JIT_TTL = 3600.0
"""Seconds that a model loaded on request may stay idle, unless the request says otherwise."""


class ModelManager:
    """Loads, finds and unloads models. An identifier names at most one instance."""

    def __init__(
        self,
        store: ModelStore,
        factory: EngineFactory,
        *,
        settings: Settings,
        notices: Notices | None = None,
        guard: MemoryGuard | None = None,
        defaults: LoadOptions | None = None,
        jit: bool = True,
        jit_ttl: float | None = JIT_TTL,
        auto_evict: bool = True,
    ) -> None:
        self.store = store
        self.choices = LoadChoices(defaults or LoadOptions(), settings)
        self.notices = notices or Notices()
        self.jit = jit
        self.jit_ttl = jit_ttl
        self._closed = False
        self._instances = Instances()
        self._unloader = Unloader(self._instances, self.notices)
        self._room = RoomMaker(self._instances, self._evict, guard, enabled=auto_evict)
        self._loads = Loads(factory, self.notices, self._prepare)
        self._targets = Targets(self._instances, self._loads, self.find, self.choices.options)
        self._idle = IdleWatch(self.loaded, self._expire)
        watch(self)

    # -- what there is

    async def list(self) -> list[ModelRecord]:
        """Every model on this machine's roots. Reads the disk in a thread."""
        return await asyncio.to_thread(self.store.list)

    async def look(self) -> Index:
        """The same, with what goes with them and what cannot be used."""
        return await asyncio.to_thread(self.store.look)

    async def find(self, name: str) -> ModelRecord:
        """Raises ModelNotFound, InvalidRequest (ambiguous)."""
        return await asyncio.to_thread(self.store.find, name)

    def loaded(self) -> LoadedModels:
        """Living instances, in the order they were loaded."""
        return self._instances.living()

    async def target(self, name: str, *, context_length: int | None = None) -> Target:
        """What answers to `name`, loaded or to be loaded. With `context_length`: an instance of
        that model which holds as many tokens; a further one is loaded where none does.

        Raises ModelNotFound, InvalidRequest.
        """
        return await self._targets.target(name, context_length)

    # -- for a request

    async def acquire(
        self,
        wanted: str | Target,
        *,
        ttl: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> LoadedModel:
        """The instance that answers to a name, loaded if need be. It stays until the caller says
        `uses.leave()`. `ttl` is for one that was loaded on request: how long it may stay idle from
        now on. `progress` is told of a load, from 0.0 on.

        Raises ModelNotFound, InvalidRequest, LoadFailed, QueueFull, ServiceClosed.
        """
        while True:
            target = await self.target(wanted) if isinstance(wanted, str) else wanted
            model = self._instances.get(target.identifier)
            if model is not None and model.departure is not None:
                if progress is not None:
                    progress(0.0)
                await asyncio.wait([model.departure])
                continue
            if model is not None and model.engine.alive:
                model.uses.enter()
                break
            if model is None and not self.jit and target.identifier not in self._loads:
                raise ModelNotFound(
                    f"The model '{target.identifier}' is not loaded, and loading on request is "
                    "switched off.",
                    param="model",
                )
            model = await self._join(target, progress)
            break
        if ttl is not None and model.jit:
            model.ttl = ttl
            self._idle.wake()
        return model

    @contextlib.asynccontextmanager
    async def use(
        self, wanted: str | Target, *, ttl: float | None = None
    ) -> AsyncIterator[LoadedModel]:
        """`acquire` and leave."""
        model = await self.acquire(wanted, ttl=ttl)
        try:
            yield model
        finally:
            model.uses.leave()

    async def get(
        self,
        wanted: str | Target,
        *,
        ttl: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> LoadedModel:
        """`acquire`, for one look: it may go at any time."""
        model = await self.acquire(wanted, ttl=ttl, progress=progress)
        model.uses.leave()
        return model

    # -- by hand

    async def load(
        self,
        name: str,
        asked: Mapping[str, Any] = NOTHING,
        *,
        identifier: str | None = None,
        new_instance: bool = False,
        ttl: float | None = None,
        guardrail: str | None = None,
        chosen: Callable[[str], None] = lambda _: None,
        progress: ProgressCallback | None = None,
        tied: bool = False,
    ) -> LoadedModel:
        """Load `name` and wait for it. `chosen` is told the identifier first. `tied`: a caller that
        goes away ends the load, unless somebody else waits for it.

        Under `identifier`: the instance that has it, or, where it was loaded in another way, one in
        its place. Without: an instance that was loaded in this way, else a further one. `asked`:
        load options by name; those that are not there are saved or the server's own. `ttl`: seconds
        without a request after which it goes; None: it stays.

        Raises ModelNotFound, InvalidRequest, ModelInUse, LoadFailed and its like.
        """
        record = await self.find(name)
        wanted = Target(
            "", record, await self.choices.options(record, asked), False, asked, guardrail
        )
        if identifier is not None:
            target = self._targets.under(check_identifier(identifier), wanted, anyhow=not asked)
        else:
            target = self._targets.somewhere(wanted, anyhow=not asked, new=new_instance)
        chosen(target.identifier)
        model = self._instances.get(target.identifier)
        if model is not None and model.available and model.target == target:
            if progress is not None:
                progress(1.0)
        else:
            if model is not None and model.available:
                self._unloader.begin(model, "replaced")
            model = await self._join(target, progress, tied)
            model.uses.leave()
        model.jit, model.ttl = False, ttl
        self._idle.wake()
        return model

    async def unload(
        self, name: str, *, cancel_running: bool = False, wait: float = UNLOAD_WAIT
    ) -> None:
        """Give an instance's memory back, once it has answered what it is answering, or, with
        `cancel_running`, at once. A load that is under way is cancelled.

        Raises ModelNotFound when nothing of that name is loaded, ModelInUse after `wait` seconds,
        InvalidRequest where the model has several instances.
        """
        identifier = await self._targets.present(name)
        model = self._instances.get(identifier)
        if not self._loads.cancel(identifier) and model is not None:
            await self._unloader.unload(
                model, "requested", cancel_running=cancel_running, wait=wait
            )

    async def close(self) -> None:
        """End every load and every engine."""
        self._closed = True
        await self._loads.close()
        await self._idle.stop()
        await self._unloader.close()

    # -- how

    async def _join(
        self, target: Target, progress: ProgressCallback | None, tied: bool = False
    ) -> LoadedModel:
        """Wait for the load of `target`, and use what it gives; begin it if nobody has."""
        if self._closed:
            raise ServiceClosed("The server is shutting down.")
        load = self._loads.get(target.identifier) or self._loads.begin(target, self._arrived)
        return await load.wait(progress, tied)

    async def _prepare(self, target: Target) -> LoadOptions:
        """Before a load: its name is free, and there is room for it, loaded with these options."""
        former = self._instances.get(target.identifier)
        if former is not None:
            await self._unloader.unload(former, "replaced" if former.engine.alive else "died")
        await asyncio.to_thread(check_parts, target.options)
        return await self._room.make_room(target)

    def _arrived(self, model: LoadedModel) -> None:
        if model.jit:
            model.ttl = self.jit_ttl
        self._instances.add(model)
        self._idle.wake()

    async def _expire(self, identifier: str) -> None:
        model = self._instances.get(identifier)
        if model is not None and model.available and not model.in_flight:
            await self._unloader.unload(model, "idle")

    async def _evict(self, model: LoadedModel) -> None:
        await self._unloader.unload(model, "evicted")
