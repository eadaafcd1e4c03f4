"""POST /api/v1/models/load."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio import describe
from lmnb.api.lmstudio.load_options import asked_options
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse
from lmnb.engine.options import LoadOptions
from lmnb.errors import LmnbError
from lmnb.service.manager import LoadedModel

__all__ = ["LoadHandler", "LoadRequest"]


class LoadRequest(Body):
    """Whatever else is in the body is a load option."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1)]
    identifier: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    ttl: Annotated[float, Field(gt=0)] | None = None
    echo_load_config: bool = False
    stream: bool = False

    def options(self, defaults: LoadOptions) -> LoadOptions | None:
        """`defaults` with what was asked for. None: nothing was. Raises InvalidRequest."""
        asked = asked_options(self.model_extra or {})
        return msgspec.structs.replace(defaults, **asked) if asked else None


class LoadHandler(ApiHandler):
    """Load a model, and say how far it is if `stream` is true."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(LoadRequest)
        manager = self.services.manager
        options = request.options(manager.defaults)
        name = request.identifier or (await manager.find(request.model)).id
        steps: asyncio.Queue[float | None] = asyncio.Queue()
        with self.services.activity.busy():
            load = asyncio.ensure_future(
                manager.load(
                    request.model,
                    options,
                    identifier=request.identifier,
                    ttl=request.ttl,
                    progress=steps.put_nowait,
                )
            )
            load.add_done_callback(lambda _: steps.put_nowait(None))
            try:
                # An error that comes before any progress still has a status of its own.
                first = await steps.get() if request.stream else None
                if first is None:
                    self.reply(_loaded(await load, request))
                else:
                    await self._stream(name, load, first, steps, request)
            finally:
                load.cancel()

    async def _stream(
        self,
        name: str,
        load: asyncio.Future[LoadedModel],
        step: float | None,
        steps: asyncio.Queue[float | None],
        request: LoadRequest,
    ) -> None:
        async with EventStream(self) as events:

            def say(kind: str, **facts: Any) -> None:
                events.send(sse({"type": kind, "model_instance_id": name, **facts}, kind))

            say("model_load.start")
            while step is not None:
                say("model_load.progress", progress=step)
                step = await steps.get()
            try:
                say("model_load.end", **{**_loaded(await load, request), "type": "model_load.end"})
            except LmnbError as error:
                events.send(sse({"type": "error", **error.to_json()}, "error"))


def _loaded(model: LoadedModel, request: LoadRequest) -> dict[str, Any]:
    answer = {
        "type": describe.kind(model.record),
        "instance_id": model.id,
        "load_time_seconds": round(model.load_seconds, 3),
        "status": "loaded",
    }
    if request.echo_load_config:
        answer["load_config"] = describe.config(model)
    return answer
