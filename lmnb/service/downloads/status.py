"""A job's state as everybody is told it: LM Studio's fields, and ours beside them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NotRequired

from typing_extensions import TypedDict

from lmnb.service.downloads.job import DownloadJob, State

if TYPE_CHECKING:
    from lmnb.service.downloads.run import DownloadRun

__all__ = ["DownloadStatus", "FileStatus", "status_of"]

LONGEST = 10 * 365 * 86400.0
"""Seconds. An end beyond that is not foretold."""


class FileStatus(TypedDict):
    path: str
    size_bytes: int
    downloaded_bytes: int


class Failure(TypedDict):
    message: str
    type: str
    code: str | None


class DownloadStatus(TypedDict):
    """Times are ISO 8601, in UTC. What is not known is left out.

    `status` has LM Studio's five words: a job that waits is `downloading`, a cancelled one `failed`.
    `state` says which it is. Without `job_id` the model was here already.
    """

    job_id: NotRequired[str]
    status: Literal["downloading", "paused", "completed", "failed", "already_downloaded"]
    state: State
    model: str
    repository: str
    quantization: str
    revision: str
    files: list[FileStatus]
    total_size_bytes: NotRequired[int]
    downloaded_bytes: NotRequired[int]
    bytes_per_second: NotRequired[float]
    estimated_completion: NotRequired[str]
    seconds_left: NotRequired[float]
    started_at: NotRequired[str]
    completed_at: NotRequired[str]
    problem: NotRequired[str]
    """Why nothing comes at the moment, and when it is tried again."""
    error: NotRequired[Failure]
    key: NotRequired[str]
    """What the model is called here."""


WORDS: dict[State, Literal["downloading", "paused", "completed", "failed"]] = {
    "queued": "downloading",
    "downloading": "downloading",
    "paused": "paused",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",
}


def status_of(
    job: DownloadJob,
    received: Mapping[str, int],
    *,
    run: DownloadRun | None = None,
    here: bool = False,
) -> DownloadStatus:
    """`received`: bytes by path. `here`: there was nothing to fetch."""
    files: list[FileStatus] = [
        {
            "path": file.path,
            "size_bytes": file.size,
            "downloaded_bytes": received.get(file.path, 0),
        }
        for file in job.files
    ]
    status: DownloadStatus = {
        "status": "already_downloaded" if here else WORDS[job.state],
        "state": "completed" if here else job.state,
        "model": job.model,
        "repository": job.repository,
        "quantization": job.quantization,
        "revision": job.commit,
        "files": files,
    }
    if job.key is not None:
        status["key"] = job.key
    if here:
        return status
    status["job_id"] = job.id
    status["total_size_bytes"] = job.size_bytes
    status["downloaded_bytes"] = sum(file["downloaded_bytes"] for file in files)
    status["started_at"] = _iso(job.started or job.created)
    if job.completed is not None:
        status["completed_at"] = _iso(job.completed)
    if job.failure is not None:
        failure = job.failure
        status["error"] = {"message": failure.message, "type": failure.type, "code": failure.code}
    if run is not None and job.state == "downloading":
        _add_progress(status, run, job.size_bytes)
    return status


def _add_progress(status: DownloadStatus, run: DownloadRun, size: int) -> None:
    if run.control.problem is not None:
        status["problem"] = run.control.problem
    speed = run.rate.per_second
    if speed is None:
        return
    status["bytes_per_second"] = round(speed, 1)
    left = (size - status["downloaded_bytes"]) / speed if speed > 0 else LONGEST
    if left < LONGEST:
        status["seconds_left"] = round(left, 1)
        status["estimated_completion"] = _iso(time.time() + left)


def _iso(seconds: float) -> str:
    """As JavaScript writes it."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
