"""`lmnb.models`, `load`, `unload`, `estimate`, `download`: what looks after models."""

from __future__ import annotations

import asyncio
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook import downloads
from lmnb.notebook.api.connect import connected, in_notebook, screen
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.display.screen import Progress, progressing
from lmnb.notebook.display.tables import JsonDict, JsonList


def models() -> list[dict[str, Any]]:
    """Every model on the server's machine: `key`, `type`, `size_bytes`, `loaded_instances`, ..."""
    return JsonList(connected().models())


def load(model: str, **options: Any) -> dict[str, Any]:
    """Load a model, with a progress bar. Returns `instance_id`, `load_config`, and how long it took.

    `options` are those of `%lms load`, by the load route's names: `context_length`, `gpu`, `slots`,
    `ttl`, `identifier`, ... What is not said, lmnb decides. An interrupt ends the load.
    """
    client = connected()
    with progressing(screen(), f"Loading {model}") as progress:
        answer = client.load(model, options, progress.move)
    return _loaded(progress, model, answer)


def unload(identifier: str | None = None) -> None:
    """Unload a model by its identifier, or the only one that is loaded."""
    client = connected()
    if identifier is None:
        loaded = [entry["identifier"] for entry in client.status().get("loaded", [])]
        if len(loaded) != 1:
            names = ", ".join(loaded) or "none"
            raise InvalidRequest(f"Which model? Loaded: {names}.")
        identifier = loaded[0]
    client.unload(identifier)


def estimate(model: str, **options: Any) -> dict[str, Any]:
    """The memory that loading would take: per device, in bytes, and whether it fits (`fit`).

    `options` are `load`'s. Nothing is loaded.
    """
    body = {"model": model, **options}
    return JsonDict(connected().json("POST", "api/v1/models/estimate", body, timeout=PATIENT))


def download(model: str, quantization: str | None = None, *, wait: bool = True) -> dict[str, Any]:
    """Fetch a model from the Hugging Face Hub, with a progress bar. Returns the job.

    `model` is a name, `owner/repo` or address. With `wait=False` the server goes on by itself, as
    it does after an interrupt.
    """
    client = connected()
    job = downloads.start(client, model, quantization)
    if not wait:
        return JsonDict(job)
    with progressing(screen(), f"Downloading {model}") as progress:
        job = downloads.follow(client, job, lambda job: progress.move(downloads.share(job)))
    _done(progress, f"{model} is downloaded.")
    return JsonDict(job)


async def amodels() -> list[dict[str, Any]]:
    """`lmnb.models` for code that awaits."""
    return await asyncio.to_thread(models)


async def aload(model: str, **options: Any) -> dict[str, Any]:
    """`lmnb.load` for code that awaits. Cancelling it ends the load, unless others wait for it."""
    client = await asyncio.to_thread(connected)
    with progressing(screen(), f"Loading {model}") as progress:
        async with AsyncClient(client.connection) as http:
            answer = await http.load(model, options, progress.move)
    return _loaded(progress, model, answer)


async def aunload(identifier: str | None = None) -> None:
    """`lmnb.unload` for code that awaits."""
    await asyncio.to_thread(unload, identifier)


async def aestimate(model: str, **options: Any) -> dict[str, Any]:
    """`lmnb.estimate` for code that awaits."""
    return await asyncio.to_thread(estimate, model, **options)


async def adownload(
    model: str, quantization: str | None = None, *, wait: bool = True
) -> dict[str, Any]:
    """`lmnb.download` for code that awaits. Cancelling it pauses the download; the next call goes on."""
    if not wait:
        return await asyncio.to_thread(download, model, quantization, wait=False)
    client = await asyncio.to_thread(connected)
    with progressing(screen(), f"Downloading {model}") as progress:
        async with AsyncClient(client.connection) as http:
            job = await downloads.fetch(
                http, model, quantization, lambda job: progress.move(downloads.share(job))
            )
    _done(progress, f"{model} is downloaded.")
    return JsonDict(job)


def _loaded(progress: Progress, model: str, answer: dict[str, Any]) -> dict[str, Any]:
    _done(progress, f"{answer.get('instance_id') or model} is loaded.")
    return JsonDict(answer)


def _done(progress: Progress, text: str) -> None:
    """A notebook keeps the sentence; a script's output is its own."""
    if in_notebook():
        progress.done(text)
    else:
        progress.failed()
