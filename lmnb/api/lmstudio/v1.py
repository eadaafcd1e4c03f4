"""LM Studio's native API, version 1: models here and loaded, load, unload, import, status."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio import describe
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, LmnbError
from lmnb.service.manager import LoadedModel

__all__ = ["ImportHandler", "LoadHandler", "ModelsHandler", "StatusHandler", "UnloadHandler"]

ALIASES = {
    "eval_batch_size": "batch_size",
    "parallel": "slots",
    "offload_kv_cache_to_gpu": "offload_kv_cache",
}
"""LM Studio's names for load options."""


class ModelsHandler(ApiHandler):
    """Everything on disk, with what is loaded of it."""

    @endpoint
    async def get(self) -> None:
        manager = self.services.manager
        records, loaded = await manager.list(), manager.loaded()
        self.reply({"models": [describe.model(record, loaded) for record in records]})

    head = get


class StatusHandler(ApiHandler):
    """The server, what it has loaded, the machine. Asking for it keeps no server awake."""

    @endpoint
    async def get(self) -> None:
        self.reply(await describe.status(self.services, self._base_url()))

    head = get

    def _base_url(self) -> str:
        root = self.request.path.removesuffix("/").removesuffix("/api/v1/status")
        return f"{self.request.protocol}://{self.request.host}{root}/v1"


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
        asked = {ALIASES.get(name, name): value for name, value in (self.model_extra or {}).items()}
        return msgspec.structs.replace(defaults, **_checked(asked)) if asked else None


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        options = msgspec.convert(asked, LoadOptions)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        param = where.strip("`.") or what.partition("`")[2].strip("`") or None
        raise InvalidRequest(f"Invalid '{param}': {what}.", param=param) from None
    return {name: getattr(options, name) for name in asked}


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


class UnloadRequest(Body):
    instance_id: Annotated[str, Field(min_length=1)]


class UnloadHandler(ApiHandler):
    """Give a model's memory back."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(UnloadRequest)
        await self.services.manager.unload(request.instance_id)
        self.reply({"instance_id": request.instance_id})


class ImportRequest(Body):
    path: Annotated[str, Field(min_length=1)]
    mode: Literal["copy", "hard_link", "symlink", "move"] = "symlink"


class ImportHandler(ApiHandler):
    """Bring a GGUF file of this machine among the models."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ImportRequest)
        path = Path(request.path).expanduser() if "\0" not in request.path else Path()
        if not path.is_absolute():
            raise InvalidRequest("'path' must be an absolute path on the server.", param="path")
        mode: Any = request.mode.replace("_", "")
        try:
            record = await asyncio.to_thread(self.services.store.import_file, path, mode=mode)
        except OSError as error:
            raise InvalidRequest(f"{path}: {error.strerror or error}", param="path") from None
        self.reply(describe.model(record, self.services.manager.loaded()))
