"""Instances on their way out of memory."""

from __future__ import annotations

import asyncio

from lmnb.errors import ModelInUse
from lmnb.service.instances import Instances, LoadedModel
from lmnb.service.notices import Notices

__all__ = ["UNLOAD_WAIT", "Unloader"]

UNLOAD_WAIT = 60.0
"""Seconds that an instance may take to finish what it is answering."""


class Unloader:
    """Gives memory back. What an instance is answering, it may finish, but nothing new begins there:
    requests that name it wait, and find it gone or, if that took too long, still there."""

    def __init__(self, instances: Instances, notices: Notices) -> None:
        self._instances = instances
        self._notices = notices

    def begin(
        self, model: LoadedModel, reason: str, *, wait: float = UNLOAD_WAIT
    ) -> asyncio.Future[None]:
        """Done when it is gone, or with ModelInUse. The first call decides."""
        if model.departure is None:
            model.departure = asyncio.ensure_future(self._leave(model, reason, wait))
            model.departure.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return model.departure

    async def unload(
        self,
        model: LoadedModel,
        reason: str,
        *,
        cancel_running: bool = False,
        wait: float = UNLOAD_WAIT,
    ) -> None:
        """Raises ModelInUse if it still answers after `wait` seconds. `cancel_running`: what it is
        answering fails instead. A caller that goes away changes nothing."""
        departure = self.begin(model, reason, wait=wait)
        if cancel_running:
            await model.engine.close()
            model.uses.abandon()
        await asyncio.shield(departure)

    async def close(self) -> None:
        """At once, all of them."""
        models = tuple(self._instances)
        await asyncio.gather(*(model.engine.close() for model in models), return_exceptions=True)
        departures = [model.departure for model in models if model.departure is not None]
        for model in models:
            self._instances.remove(model)
        for departure in departures:
            departure.cancel()
        await asyncio.gather(*departures, return_exceptions=True)

    async def _leave(self, model: LoadedModel, reason: str, wait: float) -> None:
        try:
            if model.engine.alive:
                await asyncio.wait_for(model.uses.over(), wait)
            await model.engine.close()
        except TimeoutError:
            raise ModelInUse(
                f"'{model.id}' is still answering {model.in_flight} request(s) after {wait:g} s. "
                "'cancel_running' ends them.",
                param="instance_id",
            ) from None
        finally:
            model.departure = None
        if self._instances.remove(model):
            about = {"instance_id": model.id, "model": model.record.id, "reason": reason}
            self._notices.publish("model_unload", about)
