"""Loads that are under way: one for each identifier, however many wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

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

    @property
    def is_cancelled(self) -> bool:
        """Nobody gets anything of it any more, though its process may still have to end."""
        return self.task.cancelling() > 0

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
        self._loads: list[Load] = []
        self._turn = asyncio.Lock()

    def __contains__(self, identifier: str) -> bool:
        return self.get(identifier) is not None

    def get(self, identifier: str) -> Load | None:
        return next((one for one in self._going() if one.target.identifier == identifier), None)

    def targets(self) -> tuple[Target, ...]:
        return tuple(load.target for load in self._going())

    def begin(self, target: Target, arrived: Arrived) -> Load:
        """`arrived` is called with the instance before anybody who waits goes on."""
        former = [one.task for one in self._loads if one.target.identifier == target.identifier]
        load = Load(target)
        load.task = asyncio.ensure_future(self._run(load, arrived, former))
        load.task.add_done_callback(lambda _: self._ended(load))
        self._loads.append(load)
        return load

    def cancel(self, identifier: str) -> bool:
        """False: nothing is being loaded under that identifier."""
        load = self.get(identifier)
        return load is not None and load.task.cancel()

    async def close(self) -> None:
        tasks = [load.task for load in self._loads]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _going(self) -> Iterator[Load]:
        return (load for load in self._loads if not load.is_cancelled)

    def _ended(self, load: Load) -> None:
        self._loads.remove(load)
        if not load.task.cancelled():
            load.task.exception()  # nobody may be waiting any more

    async def _run(
        self, load: Load, arrived: Arrived, former: Sequence[asyncio.Task[LoadedModel]]
    ) -> LoadedModel:
        """`former`: cancelled loads of that identifier, whose end is told of first."""
        if former:
            await asyncio.wait(former)
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
