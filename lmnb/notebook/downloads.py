"""A download on the server, followed from here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from lmnb.errors import LmnbError
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT

ROUTE = "api/v1/models/download"
POLL_SECONDS = 0.5
Job = dict[str, Any]
"""LM Studio's: `status`, `job_id`, `downloaded_bytes`, `total_size_bytes`, `bytes_per_second`, ..."""


def start(
    client: Client, model: str, quantization: str | None = None, revision: str | None = None
) -> Job:
    """Have the server fetch a model of the Hub. `already_downloaded` is a status too."""
    return client.json("POST", ROUTE, _wish(model, quantization, revision), timeout=PATIENT)


async def fetch(
    client: AsyncClient,
    model: str,
    quantization: str | None,
    moved: Callable[[Job], None] = lambda job: None,
) -> Job:
    """`start` and `follow` for code that awaits. Cancelling it pauses the download, unless that was
    under way before."""
    before = (await client.json("GET", ROUTE))["downloads"]
    job = await client.json("POST", ROUTE, _wish(model, quantization), timeout=PATIENT)
    try:
        while is_under_way(job):
            moved(job)
            await asyncio.sleep(POLL_SECONDS)
            job = await client.json("GET", _status_route(job))
    except asyncio.CancelledError:
        if not any(one["job_id"] == job["job_id"] and is_moving(one) for one in before):
            with suppress(LmnbError):  # it may have ended meanwhile
                await client.json("POST", f"{ROUTE}/pause", {"job_id": job["job_id"]})
        raise
    return _whole(job)


def follow(client: Client, job: Job, moved: Callable[[Job], None] = lambda job: None) -> Job:
    """Wait for its end; `moved` sees it about twice a second. The server goes on if we stop.

    Raises LmnbError where it failed or was cancelled.
    """
    while is_under_way(job):
        moved(job)
        time.sleep(POLL_SECONDS)
        job = client.json("GET", _status_route(job))
    return _whole(job)


def is_moving(job: Job) -> bool:
    """It is fetched, or waits for its turn."""
    return job.get("status") == "downloading"


def is_under_way(job: Job) -> bool:
    """It moves, or will when somebody resumes it."""
    return is_moving(job) or job.get("status") == "paused"


def share(job: Job) -> float:
    """How much of it is done, 0.0 to 1.0."""
    return float(job.get("downloaded_bytes") or 0) / float(job.get("total_size_bytes") or 1)


def _wish(model: str, quantization: str | None, revision: str | None = None) -> dict[str, str]:
    asked = {"model": model, "quantization": quantization, "revision": revision}
    return {name: value for name, value in asked.items() if value}


def _status_route(job: Job) -> str:
    return f"{ROUTE}/status/{quote(str(job['job_id']))}"


def _whole(job: Job) -> Job:
    if job.get("status") not in ("completed", "already_downloaded"):
        reason = (job.get("error") or {}).get("message")
        why = str(reason or job.get("status")).rstrip(".")
        raise LmnbError(f"The download ended: {why}.")
    return job
