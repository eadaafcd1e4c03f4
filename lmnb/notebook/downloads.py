"""A download on the server, followed from here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from lmnb.errors import LmnbError
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT

POLL_SECONDS = 0.5
Job = dict[str, Any]
"""LM Studio's: `status`, `job_id`, `downloaded_bytes`, `total_size_bytes`, `bytes_per_second`, ..."""


def start(
    client: Client, model: str, quantization: str | None = None, revision: str | None = None
) -> Job:
    """Have the server fetch a model of the Hub. `already_downloaded` is a status too."""
    asked = {"model": model, "quantization": quantization, "revision": revision}
    body = {name: value for name, value in asked.items() if value}
    return client.json("POST", "api/v1/models/download", body, timeout=PATIENT)


def follow(client: Client, job: Job, moved: Callable[[Job], None] = lambda job: None) -> Job:
    """Wait for its end; `moved` sees it about twice a second. The server goes on if we stop.

    Raises LmnbError where it failed or was cancelled.
    """
    while job.get("status") in ("downloading", "queued", "verifying", "paused"):
        moved(job)
        time.sleep(POLL_SECONDS)
        job = client.json("GET", f"api/v1/models/download/status/{quote(str(job['job_id']))}")
    if job.get("status") not in ("completed", "already_downloaded"):
        error = job.get("error")
        reason = error.get("message") if isinstance(error, dict) else error
        why = str(reason or job.get("status")).rstrip(".")
        raise LmnbError(f"The download ended: {why}.")
    return job


def share(job: Job) -> float:
    """How much of it is done, 0.0 to 1.0."""
    return float(job.get("downloaded_bytes") or 0) / float(job.get("total_size_bytes") or 1)
