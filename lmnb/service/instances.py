"""Models in memory, each under the identifier that requests name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lmnb.engine import Engine
from lmnb.engine.options import LoadOptions
from lmnb.models.store.store import ModelRecord
from lmnb.service.prompt import PromptMaker

__all__ = ["Instances", "LoadedModel", "LoadedModels", "Target", "Uses", "is_own_name"]


@dataclass(frozen=True, slots=True)
class Target:
    """The instance that answers to a name, there or not yet, and how it would be loaded."""

    identifier: str
    record: ModelRecord
    options: LoadOptions
    jit: bool
    """Loaded for a request, not by hand."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Those of the options that the caller chose."""
    guardrail: str | None = None
    """How much memory it may take. None: as the server says."""


class Uses:
    """Who needs an instance: requests that it answers, and those that wait until it is loaded."""

    def __init__(self) -> None:
        self.count = 0
        self.last = time.time()
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self) -> None:
        self.count += 1
        self.last = time.time()
        self._idle.clear()

    def leave(self) -> None:
        self.count -= 1
        self.last = time.time()
        if not self.count:
            self._idle.set()

    def abandon(self) -> None:
        """Whoever needs it still has nothing of it any more."""
        self._idle.set()

    async def over(self) -> None:
        """Wait until nobody needs it, or it is abandoned."""
        await self._idle.wait()


@dataclass(slots=True, eq=False)
class LoadedModel:
    """One instance: a model in an engine."""

    id: str
    record: ModelRecord
    options: LoadOptions
    """As they were asked for; the engine's own are what became of them."""
    asked: Mapping[str, Any]
    engine: Engine
    jit: bool
    load_seconds: float
    prompts: PromptMaker
    loaded_at: float = field(default_factory=time.time)
    ttl: float | None = None
    """Seconds without a request after which it goes. None: it stays."""
    uses: Uses = field(default_factory=Uses)
    departure: asyncio.Future[None] | None = None
    """While it is being unloaded: done when it is gone, or stays after all."""

    @property
    def in_flight(self) -> int:
        return self.uses.count

    @property
    def last_used(self) -> float:
        return self.uses.last

    @property
    def target(self) -> Target:
        """How to load it again."""
        return Target(self.id, self.record, self.options, self.jit, self.asked)

    @property
    def load_factor(self) -> float:
        """Requests for each that it computes at the same time."""
        return self.uses.count / self.engine.facts.slots

    @property
    def available(self) -> bool:
        """Takes requests."""
        return self.engine.alive and self.departure is None

    @contextmanager
    def used(self) -> Iterator[None]:
        """It stays, inside this block."""
        self.uses.enter()
        try:
            yield
        finally:
            self.uses.leave()


LoadedModels = list[LoadedModel]


def is_own_name(identifier: str, record: ModelRecord) -> bool:
    """Whether nobody chose it: the model's id, or `id:2` and so on."""
    base, colon, number = identifier.rpartition(":")
    return identifier == record.id or (base == record.id and bool(colon) and number.isdecimal())


class Instances:
    """All that was loaded and not unloaded. An engine that died stays: a request starts it again."""

    def __init__(self) -> None:
        self._by_id: dict[str, LoadedModel] = {}

    def __iter__(self) -> Iterator[LoadedModel]:
        """In the order in which they were loaded."""
        return iter(tuple(self._by_id.values()))

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._by_id

    def get(self, identifier: str) -> LoadedModel | None:
        return self._by_id.get(identifier)

    def add(self, model: LoadedModel) -> None:
        self._by_id[model.id] = model

    def remove(self, model: LoadedModel) -> bool:
        """False: it was not there any more."""
        if self._by_id.get(model.id) is not model:
            return False
        del self._by_id[model.id]
        return True

    def living(self) -> LoadedModels:
        return [model for model in self if model.engine.alive]

    def of(self, record: ModelRecord) -> LoadedModels:
        """The living instances of one model."""
        return [model for model in self.living() if model.record.path == record.path]

    def available(self, record: ModelRecord) -> LoadedModel | None:
        """The least busy instance of a model."""
        models = [model for model in self.of(record) if model.available]
        return min(models, key=lambda model: model.load_factor, default=None)

    def twin(self, model: LoadedModel) -> LoadedModel:
        """The least busy of those that are as good as `model`: the same file, loaded the same way."""
        twins = [
            one for one in self.of(model.record) if one.available and one.options == model.options
        ]
        return min([model, *twins], key=lambda one: one.load_factor)
