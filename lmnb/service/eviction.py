"""Room for a load: what may go, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from lmnb.engine.options import LoadOptions
from lmnb.errors import InsufficientMemory
from lmnb.service.instances import Instances, LoadedModel, LoadedModels, Target

__all__ = ["MemoryGuard", "RoomMaker"]


class MemoryGuard(Protocol):
    """Knows what a load takes and what there is."""

    async def check(self, target: Target) -> LoadOptions:
        """How to load it so that it fits: the target's options, what was left open in them settled.
        Raises InsufficientMemory."""


class RoomMaker:
    """Unloads what was loaded on request and is idle; never what is in use or was loaded by hand.

    Of models that are loaded on request there is one at a time, unless more are in use. For any load
    they go, the least recently used first, until the guard is content.
    """

    def __init__(
        self,
        instances: Instances,
        unload: Callable[[LoadedModel], Awaitable[None]],
        guard: MemoryGuard | None,
        *,
        enabled: bool,
    ) -> None:
        self._instances = instances
        self._unload = unload
        self._guard = guard
        self._enabled = enabled

    async def make_room(self, target: Target) -> LoadOptions:
        """How to load it then. Raises InsufficientMemory, when nothing more can go."""
        if target.jit:
            for model in self._evictable():
                await self._unload(model)
        while self._guard is not None:
            try:
                return await self._guard.check(target)
            except InsufficientMemory:
                if not (idle := self._evictable()):
                    raise
                await self._unload(idle[0])
        return target.options

    def _evictable(self) -> LoadedModels:
        idle = [
            model
            for model in self._instances.living()
            if self._enabled and model.jit and model.available and not model.in_flight
        ]
        return sorted(idle, key=lambda model: model.last_used)
