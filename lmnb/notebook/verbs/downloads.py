"""The server's downloads: `downloads`, `downloads pause`, `resume` and `cancel`."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from lmnb.notebook import downloads
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import UNKNOWN, JsonList, Table, duration, size
from lmnb.notebook.downloads import Job
from lmnb.notebook.options import option
from lmnb.notebook.verbs.verb import JSON, Run, Verb


def progress_of(job: Job) -> str:
    """`1.20 GB / 9.00 GB, 30.00 MB/s, 4m left`, as far as it is known."""
    done, total = size(job.get("downloaded_bytes") or 0), size(job.get("total_size_bytes"))
    parts = [f"{done} / {total}"]
    if speed := job.get("bytes_per_second"):
        parts.append(f"{size(speed)}/s")
    if (left := _seconds_left(job)) is not None:
        parts.append(f"{duration(left)} left")
    if job.get("status") != "downloading":
        parts.append(str(job.get("status")))
    return ", ".join(parts)


def _seconds_left(job: Job) -> float | None:
    end = job.get("estimated_completion")
    if not end:
        return None
    return max(0.0, (datetime.fromisoformat(end) - datetime.now(UTC)).total_seconds())


def show(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Those that run or wait, and those that ended not long ago."""
    jobs = client.json("GET", "api/v1/models/download")["downloads"]
    if arguments.json:
        return JsonList(jobs)
    if not jobs:
        screen.say("No downloads.")
        return None
    rows = [
        [
            job["job_id"],
            str(job.get("model") or UNKNOWN),
            job["status"],
            f"{downloads.share(job):.0%}",
            progress_of(job) if job["status"] == "downloading" else size(job["total_size_bytes"]),
        ]
        for job in jobs
    ]
    screen.show(Table(("JOB", "MODEL", "STATUS", "DONE", "SIZE"), rows))
    return None


def _changer(action: str) -> Run:
    def change(client: Client, screen: Screen, arguments: Namespace) -> None:
        body = {"job_id": arguments.job}
        job = client.json("POST", f"api/v1/models/download/{action}", body)
        screen.say(f"{arguments.job}: {job['status']}.")

    return change


def _change(action: str, summary: str) -> Verb:
    job = option("job", metavar="JOB", help="as `downloads` lists it")
    return Verb(f"downloads {action}", summary, (job,), _changer(action))


VERBS = (
    Verb("downloads", "List the server's downloads.", (JSON,), show),
    _change("pause", "Pause a download."),
    _change("resume", "Go on with a download."),
    _change("cancel", "End a download and forget what had come."),
)
