"""Which models are loaded, and how they come and go."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from lmnb.engine import Engine, EngineFactory
from lmnb.engine.limits import check_load
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, ModelNotFound, ServiceClosed
from lmnb.models.store import ModelRecord, ModelStore
from lmnb.service.idle import IdleWatch
from lmnb.service.metrics import watch
from lmnb.service.prompt import PromptMaker

JIT_TTL = 3600.0
"""Seconds that a model loaded on request may stay idle, unless the request says otherwise."""

ProgressCallback = Callable[[float], None]
Listeners = list[ProgressCallback]


@dataclass(slots=True, eq=False)
class LoadedModel:
    """One instance: a model in an engine, under the identifier that requests name."""

    id: str
    record: ModelRecord
    engine: Engine
    jit: bool
    load_seconds: float
    prompts: PromptMaker
    loaded_at: float = field(default_factory=time.time)
    last_used: float = field(default_factory=time.time)
    in_flight: int = 0
    ttl: float | None = None
    """Seconds without a request after which it goes. None: it stays."""


LoadedModels = list[LoadedModel]


@dataclass(frozen=True, slots=True)
class Target:
    """The instance that answers to a name, there or not yet, and how it would be loaded."""

    identifier: str
    record: ModelRecord
    options: LoadOptions
    jit: bool


@dataclass(slots=True)
class _Load:
    """A load that is under way; everybody who wants it waits for the one task."""

    task: asyncio.Task[LoadedModel]
    target: Target
    listeners: Listeners


class ModelManager:
    """Loads, finds and unloads models.

    An identifier names at most one instance. Loading under an identifier that is taken gives the
    instance that is there, or, where other options are asked for, replaces it.
    """

    def __init__(
        self,
        store: ModelStore,
        factory: EngineFactory,
        *,
        defaults: LoadOptions | None = None,
        jit: bool = True,
        jit_ttl: float | None = JIT_TTL,
    ) -> None:
        self.store = store
        self.defaults = defaults or LoadOptions()
        self.jit = jit
        self.jit_ttl = jit_ttl
        self._idle = IdleWatch(self.loaded, self.unload)
        self._factory = factory
        self._loaded: dict[str, LoadedModel] = {}
        self._loads: dict[str, _Load] = {}
        self._closed = False
        watch(self)

    async def list(self) -> list[ModelRecord]:
        """Every model on this machine's roots. Reads the disk in a thread."""
        return await asyncio.to_thread(self.store.list)

    async def find(self, name: str) -> ModelRecord:
        """Raises ModelNotFound, InvalidRequest (ambiguous)."""
        return await asyncio.to_thread(self.store.find, name)

    def loaded(self) -> LoadedModels:
        """Living instances, in the order they were loaded."""
        return [model for model in self._loaded.values() if model.engine.alive]

    async def get(
        self, name: str, *, ttl: float | None = None, progress: ProgressCallback | None = None
    ) -> LoadedModel:
        """The instance that answers to `name`, loaded for it if need be. `ttl` is for one that was
        loaded on request: how long it may stay idle from now on. `progress` is told of a load.

        Raises ModelNotFound, LoadFailed, ServiceClosed.
        """
        return await self.reach(await self.target(name), ttl=ttl, progress=progress)

    async def target(self, name: str, *, context_length: int | None = None) -> Target:
        """What answers to `name`, loaded or to be loaded. With `context_length`: an instance of
        that model which holds as many tokens; a further one is loaded where none does.

        Raises ModelNotFound, InvalidRequest.
        """
        target = self._present(name)
        if target is None:
            record = await self.find(name)
            target = self._present(record.id) or Target(record.id, record, self.defaults, jit=True)
        return target if context_length is None else self._roomy(target, context_length)

    def _present(self, identifier: str) -> Target | None:
        """What is loaded, or being loaded, under that identifier."""
        if load := self._loads.get(identifier):
            return load.target
        if model := self._loaded.get(identifier):
            return Target(identifier, model.record, model.engine.options, jit=model.jit)
        return None

    def _roomy(self, wanted: Target, context: int) -> Target:
        """`wanted`, another of its model's instances, or a new one."""
        present = [target for id in self._identifiers() if (target := self._present(id))]
        for target in sorted(
            present, key=lambda one: (one.identifier != wanted.identifier, one.identifier)
        ):
            if target.record.path == wanted.record.path and self._room(target) >= context:
                return target
        options = msgspec.structs.replace(self.defaults, context_length=context)
        check_load(options)
        id = wanted.record.id
        names = itertools.chain([id], (f"{id}:{number}" for number in itertools.count(2)))
        free = next(name for name in names if name not in self._identifiers())
        return Target(free, wanted.record, options, jit=True)

    def _identifiers(self) -> set[str]:
        return {model.id for model in self.loaded()} | self._loads.keys()

    def _room(self, target: Target) -> int:
        """Tokens that one conversation may hold there."""
        if model := self._loaded.get(target.identifier):
            return model.engine.facts.context_length
        return target.options.context_length or 0

    async def reach(
        self,
        target: Target,
        *,
        ttl: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> LoadedModel:
        """The instance, loaded if need be. Raises as `get` does."""
        model = self._loaded.get(target.identifier)
        if model is not None and model.engine.alive:
            model.last_used = time.time()
        elif model is None and not self.jit and target.identifier not in self._loads:
            raise ModelNotFound(
                f"The model '{target.identifier}' is not loaded, and loading on request is "
                "switched off.",
                param="model",
            )
        else:
            model = await self._join(
                target.identifier, target.record, target.options, jit=target.jit, progress=progress
            )
        if ttl is not None and model.jit:
            model.ttl = ttl
            self._idle.wake()
        return model

    async def load(
        self,
        name: str,
        options: LoadOptions | None = None,
        *,
        identifier: str | None = None,
        ttl: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> LoadedModel:
        """Load `name` under `identifier` (its own id by default) and wait for it. `ttl`: seconds
        without a request after which it goes; None: it stays.

        Raises ModelNotFound, InvalidRequest (options, or the instance to replace is in use),
        LoadFailed.
        """
        check_load(options or self.defaults)
        record = await self.find(name)
        identifier = identifier or record.id
        present = self._loaded.get(identifier)
        if present is not None and present.engine.alive:
            same = options is None or options == present.engine.options
            if same and present.record.path == record.path:
                if progress:
                    progress(1.0)
                return self._keep(present, ttl)
            if present.in_flight:
                raise InvalidRequest(
                    f"'{identifier}' is answering {present.in_flight} request(s); it can be "
                    "loaded with other options when it is idle, or under another identifier.",
                    param="identifier",
                )
        model = await self._join(
            identifier, record, options or self.defaults, jit=False, progress=progress
        )
        return self._keep(model, ttl)

    def _keep(self, model: LoadedModel, ttl: float | None) -> LoadedModel:
        """Loaded by hand: it stays, or goes after `ttl`."""
        model.jit, model.ttl = False, ttl
        self._idle.wake()
        return model

    async def unload(self, identifier: str) -> None:
        """Raises ModelNotFound when nothing of that name is loaded."""
        if identifier in self._loads:
            self._loads[identifier].task.cancel()
            return
        if identifier not in self._loaded:
            try:
                identifier = (await self.find(identifier)).id
            except (ModelNotFound, InvalidRequest):
                pass
        model = self._loaded.pop(identifier, None)
        if model is None:
            names = ", ".join(f"'{name}'" for name in self._loaded) or "nothing"
            raise ModelNotFound(
                f"No model '{identifier}' is loaded. Loaded: {names}.", param="instance_id"
            )
        await model.engine.close()

    async def close(self) -> None:
        """End every load and every engine."""
        self._closed = True
        self._idle.stop()
        loads = [load.task for load in self._loads.values()]
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)
        models, self._loaded = list(self._loaded.values()), {}
        await asyncio.gather(*(model.engine.close() for model in models), return_exceptions=True)

    async def _join(
        self,
        identifier: str,
        record: ModelRecord,
        options: LoadOptions,
        *,
        jit: bool,
        progress: ProgressCallback | None = None,
    ) -> LoadedModel:
        """Wait for the load of `identifier`; begin it if nobody has."""
        if self._closed:
            raise ServiceClosed("The server is shutting down.")
        load = self._loads.get(identifier)
        if load is None:
            listeners: Listeners = []
            task = asyncio.ensure_future(self._run(identifier, record, options, jit, listeners))
            task.add_done_callback(lambda _: self._loads.pop(identifier, None))
            load = self._loads[identifier] = _Load(
                task, Target(identifier, record, options, jit), listeners
            )
        if progress:
            load.listeners.append(progress)
        return await self._wait(identifier)

    async def _wait(self, identifier: str) -> LoadedModel:
        """A caller that goes away leaves the load to the others."""
        task = self._loads[identifier].task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ServiceClosed(f"The load of '{identifier}' was cancelled.") from None
            raise

    async def _run(
        self,
        identifier: str,
        record: ModelRecord,
        options: LoadOptions,
        jit: bool,
        listeners: Listeners,
    ) -> LoadedModel:
        former = self._loaded.pop(identifier, None)
        if former is not None:
            await former.engine.close()
        start = time.perf_counter()

        def report(value: float) -> None:
            for listener in listeners:
                listener(value)

        engine = await self._factory(str(record.path), options, report)
        seconds = time.perf_counter() - start
        model = LoadedModel(identifier, record, engine, jit, seconds, PromptMaker(engine.facts))
        if jit:
            model.ttl = self.jit_ttl
        self._loaded[identifier] = model
        self._idle.wake()
        return model
