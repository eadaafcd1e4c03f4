"""POST /api/v1/models/load."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio import describe
from lmnb.api.lmstudio.estimate import estimated
from lmnb.api.lmstudio.load_options import asked_options
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse
from lmnb.errors import LmnbError
from lmnb.service.instances import LoadedModel

__all__ = ["LoadHandler", "LoadRequest"]

Guardrail = Literal["strict", "balanced", "relaxed", "off"]


class LoadRequest(Body):
    """Whatever else is in the body is a load option."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1)]
    identifier: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    new_instance: bool = False
    ttl: Annotated[float, Field(gt=0)] | None = None
    guardrail: Guardrail | None = None
    estimate_only: bool = False
    echo_load_config: bool = False
    stream: bool = False

    def asked(self) -> dict[str, Any]:
        """Load options by name. Raises InvalidRequest."""
        return asked_options(self.model_extra or {})


class LoadHandler(ApiHandler):
    """Load a model, and say how far it is if `stream` is true: closing such a stream ends the load."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(LoadRequest)
        if request.estimate_only:
            return self.reply(
                await estimated(self.services, request.model, request.asked(), request.guardrail)
            )
        loading = Loading()
        with self.services.activity.busy():
            load = asyncio.ensure_future(
                self.services.manager.load(
                    request.model,
                    request.asked(),
                    identifier=request.identifier,
                    new_instance=request.new_instance,
                    ttl=request.ttl,
                    guardrail=request.guardrail,
                    chosen=loading.chosen,
                    progress=loading.steps.put_nowait,
                    tied=request.stream,
                )
            )
            load.add_done_callback(lambda _: loading.steps.put_nowait(None))
            try:
                # An error that comes before any progress still has a status of its own.
                patience = self.services.patience
                first = await loading.begun(patience) if request.stream else None
                if first is None:
                    self.reply(await self._loaded(await load, request))
                else:
                    await self._stream(loading, load, first, request)
            finally:
                load.cancel()

    async def _stream(
        self,
        loading: Loading,
        load: asyncio.Future[LoadedModel],
        step: float | None,
        request: LoadRequest,
    ) -> None:
        async with EventStream(self) as events:

            def say(kind: str, **facts: Any) -> None:
                about = {"type": kind, "model_instance_id": loading.identifier}
                events.send(sse({**about, **facts}, kind))

            say("model_load.start")
            while step is not None:
                say("model_load.progress", progress=step)
                step = await loading.steps.get()
            try:
                loaded = await self._loaded(await load, request)
                say("model_load.end", **{**loaded, "type": "model_load.end"})
            except LmnbError as error:
                events.send(sse({"type": "error", **error.to_json()}, "error"))

    async def _loaded(self, model: LoadedModel, request: LoadRequest) -> dict[str, Any]:
        answer = {
            "type": describe.kind(model.record),
            "instance_id": model.id,
            "load_time_seconds": round(model.load_seconds, 3),
            "status": "loaded",
            **await self._memory(model),
        }
        if request.echo_load_config:
            answer["load_config"] = describe.config(model)
        return answer

    async def _memory(self, model: LoadedModel) -> dict[str, int]:
        """Estimated and measured, as far as they are known."""
        found: dict[str, int] = {}
        with contextlib.suppress(LmnbError):
            estimate = await self.services.estimates.estimate(
                model.record, model.engine.options, "off", instead_of=model.id
            )
            found["estimated_memory_bytes"] = estimate.total
        if (measured := await describe.memory(model.engine.pid)) is not None:
            found["memory_bytes"] = measured
        return found


class Loading:
    """What is heard of a load. The steps end with None."""

    def __init__(self) -> None:
        self.identifier = ""
        self.steps: asyncio.Queue[float | None] = asyncio.Queue()

    def chosen(self, identifier: str) -> None:
        self.identifier = identifier

    async def begun(self, patience: float) -> float | None:
        """The first step of progress, of those after the wait for its turn if that takes no more
        than `patience` seconds. None: it ended before."""
        step = await self.steps.get()
        if step == 0.0:
            with contextlib.suppress(TimeoutError):
                step = await asyncio.wait_for(self.steps.get(), patience)
        return step
