"""Loads that are under way: one for each identifier, however many wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from lmnb.engine import EngineFactory
from lmnb.engine.options import LoadOptions
from lmnb.errors import LmnbError, QueueFull, ServiceClosed
from lmnb.service.instances import LoadedModel, Target, Uses
from lmnb.service.notices import Notices
from lmnb.service.prompt import PromptMaker

__all__ = ["Load", "Loads", "ProgressCallback"]

ProgressCallback = Callable[[float], None]
"""Told 0.0 to 1.0."""
Prepare = Callable[[Target], Awaitable[LoadOptions]]
"""Makes room, and says with which options a load fits."""
Arrived = Callable[[LoadedModel], None]


class Load:
    """One instance on its way into memory."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.uses = Uses()
        """Those who wait, and so need the instance once it is there."""
        self.task: asyncio.Task[LoadedModel]
        self._listeners: list[ProgressCallback] = []
        self._progress = 0.0

    def report(self, progress: float) -> None:
        self._progress = progress
        for listener in self._listeners:
            listener(progress)

    async def wait(
        self, progress: ProgressCallback | None = None, tied: bool = False
    ) -> LoadedModel:
        """The instance, already in use by the caller, who leaves it. A caller that goes away leaves
        the load to the others; where there are none it goes on for who asks again, unless `tied`.

        Raises LoadFailed and its like, QueueFull, ServiceClosed (cancelled).
        """
        options = self.target.options
        if self.uses.count >= options.slots + options.queue_limit:
            raise QueueFull(f"{self.uses.count} requests wait until the model is loaded.")
        self.uses.enter()
        try:
            if progress is not None:
                self._listeners.append(progress)
                progress(self._progress)
            return await asyncio.shield(self.task)
        except BaseException as error:
            self.uses.leave()
            if isinstance(error, asyncio.CancelledError) and self.task.cancelled():
                name = self.target.identifier
                raise ServiceClosed(f"The load of '{name}' was cancelled.") from None
            if isinstance(error, asyncio.CancelledError) and tied and not self.uses.count:
                self.task.cancel()
            raise
        finally:
            if progress is not None:
                self._listeners.remove(progress)


class Loads:
    """Begins loads and does one after the other: what one takes is known before the next begins."""

    def __init__(self, factory: EngineFactory, notices: Notices, prepare: Prepare) -> None:
        self._factory = factory
        self._notices = notices
        self._prepare = prepare
        self._loads: dict[str, Load] = {}
        self._turn = asyncio.Lock()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._loads

    def get(self, identifier: str) -> Load | None:
        return self._loads.get(identifier)

    def targets(self) -> tuple[Target, ...]:
        return tuple(load.target for load in self._loads.values())

    def begin(self, target: Target, arrived: Arrived) -> Load:
        """`arrived` is called with the instance before anybody who waits goes on."""
        load = self._loads[target.identifier] = Load(target)
        load.task = asyncio.ensure_future(self._run(load, arrived))
        load.task.add_done_callback(lambda task: self._ended(target.identifier, task))
        return load

    def cancel(self, identifier: str) -> bool:
        """False: nothing is being loaded under that identifier."""
        load = self._loads.get(identifier)
        return load is not None and load.task.cancel()

    async def close(self) -> None:
        tasks = [load.task for load in self._loads.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, identifier: str, task: asyncio.Task[LoadedModel]) -> None:
        del self._loads[identifier]
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    async def _run(self, load: Load, arrived: Arrived) -> LoadedModel:
        target = load.target
        about = {"instance_id": target.identifier, "model": target.record.id, "jit": target.jit}
        self._notices.publish("model_load.start", about)

        def report(progress: float) -> None:
            load.report(progress)
            self._notices.publish("model_load.progress", {**about, "progress": progress})

        try:
            async with self._turn:
                options = await self._prepare(target)
                start = time.perf_counter()
                engine = await self._factory(str(target.record.path), options, report)
                seconds = time.perf_counter() - start
        except BaseException as error:
            self._notices.publish("model_load.error", {**about, **_told(error).to_json()})
            raise
        model = LoadedModel(
            id=target.identifier,
            record=target.record,
            options=target.options,
            asked=target.asked,
            engine=engine,
            jit=target.jit,
            load_seconds=seconds,
            prompts=PromptMaker(engine.facts),
            uses=load.uses,
        )
        arrived(model)
        self._notices.publish("model_load.end", {**about, "load_time_seconds": round(seconds, 3)})
        return model


def _told(error: BaseException) -> LmnbError:
    if isinstance(error, LmnbError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return ServiceClosed("The load was cancelled.")
    return LmnbError(f"The load failed: {error!r}")
