"""The jobs that this server runs, and those that wait until it can."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from lmnb.models.download.control import Stopped
from lmnb.models.download.file import PATIENCE
from lmnb.models.download.retrying import Patience
from lmnb.service.downloads.job import CANCELLED, UNFINISHED, DownloadJob, failure_of
from lmnb.service.downloads.jobs import Asked, DownloadJobs
from lmnb.service.downloads.run import DownloadRun
from lmnb.service.downloads.status import status_of
from lmnb.service.notices import Notices

__all__ = ["STEP_SECONDS", "DownloadQueue"]

STEP_SECONDS = 0.5
"""How often progress is told, and another server's wishes are looked at."""
CLOSE_SECONDS = 2.0


class DownloadQueue:
    """At most `limit` run at once, the others wait in order. For the event loop's thread.

    `busy` lasts as long as something is fetched. `key_of` says what the model whose first file this
    is is called; it may block. A job's state changes with `changing` held, which callers of `put` and
    `stop` hold themselves.
    """

    def __init__(
        self,
        jobs: DownloadJobs,
        notices: Notices,
        *,
        limit: int,
        busy: Callable[[], AbstractContextManager[None]] = nullcontext,
        key_of: Callable[[Path], str | None] = lambda _: None,
        patience: Patience = PATIENCE,
    ) -> None:
        self.limit = limit
        self.changing = asyncio.Lock()
        self.runs: dict[str, DownloadRun] = {}
        """Those with a thread, which may be about to end."""
        self.waiting: dict[str, DownloadJob] = {}
        """The first first."""
        self.key_of = key_of
        self._jobs, self._notices = jobs, notices
        self._busy, self._patience = busy, patience
        self._watchers: set[asyncio.Task[None]] = set()
        self._closed = False

    def find(self, id: str) -> DownloadJob | None:
        """One that runs or waits here."""
        return self.waiting.get(id) or (self.runs[id].job if id in self.runs else None)

    def reserved(self, job: DownloadJob) -> int:
        """Bytes that the other jobs are going to take. For any thread."""
        runs, waiting = list(self.runs.values()), list(self.waiting.values())
        return sum(run.missing_bytes for run in runs if run.job.id != job.id) + sum(
            one.size_bytes for one in waiting if one.id != job.id
        )

    async def put(self, job: DownloadJob) -> None:
        """Let it run as soon as it can."""
        job.state = "queued"
        await asyncio.to_thread(self._jobs.save, job, ours=True)
        self.waiting[job.id] = job
        await self._begin_next()

    async def stop(self, job: DownloadJob, to: Asked) -> None:
        """At once, as far as anybody can see: its thread may take a moment."""
        job.state, job.failure = to, CANCELLED if to == "cancelled" else None
        self.waiting.pop(job.id, None)
        await asyncio.to_thread(self._jobs.save, job, ours=False)
        if (run := self.runs.get(job.id)) is not None:
            run.stop()
        elif to == "cancelled":
            await self._discard(job)
        self.say("download.paused" if to == "paused" else "download.cancelled", job)

    async def close(self) -> None:
        """Stop what runs, where it stands: the next server goes on with it."""
        async with self.changing:
            self._closed = True
            for run in self.runs.values():
                run.stop()
            for job in self.waiting.values():
                await asyncio.to_thread(self._jobs.save, job, ours=False)
            self.waiting.clear()
        if self._watchers:
            _, late = await asyncio.wait(self._watchers, timeout=CLOSE_SECONDS)
            for watcher in late:
                watcher.cancel()

    def say(self, kind: Any, job: DownloadJob) -> None:
        run = self.runs.get(job.id)
        received = run.received if run is not None else {}
        self._notices.publish(kind, status_of(job, received, run=run))

    async def _begin_next(self) -> None:
        """A job that was stopped begins again only when its old thread has ended."""
        for job in list(self.waiting.values()):
            if self._closed or len(self.runs) >= self.limit:
                return
            if job.id in self.runs:
                continue
            job.state, job.started = "downloading", job.started or time.time()
            await asyncio.to_thread(self._jobs.save, job, ours=True)
            del self.waiting[job.id]
            self._begin(job)

    def _begin(self, job: DownloadJob) -> None:
        run = self.runs[job.id] = DownloadRun(
            job, reserved=lambda: self.reserved(job), patience=self._patience
        )
        run.start()
        watcher = asyncio.ensure_future(self._watch(run))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    # -- while it runs, and when it has

    async def _watch(self, run: DownloadRun) -> None:
        with self._busy():
            while not (await asyncio.wait({run.finished}, timeout=STEP_SECONDS))[0]:
                run.measure()
                if run.job.state == "downloading":
                    self.say("download.progress", run.job)
                with suppress(sqlite3.Error):  # they ask again
                    await self._obey()
        async with self.changing:
            try:
                await self._ended(run)
            finally:
                del self.runs[run.job.id]
                await self._begin_next()

    async def _obey(self) -> None:
        """Do what other servers were told to have us do."""
        for id, what in (await asyncio.to_thread(self._jobs.asked_of_us)).items():
            async with self.changing:
                job = self.find(id)
                if job is not None and job.state in ("queued", "downloading"):
                    await self.stop(job, what)

    async def _ended(self, run: DownloadRun) -> None:
        job, error = run.job, run.finished.exception()
        if error is None:
            await self._completed(job)
        elif job.state == "cancelled":
            await self._discard(job)
        elif job.state == "downloading" and isinstance(error, Stopped):  # the server ends
            await asyncio.to_thread(self._jobs.save, job, ours=False)
        elif job.state == "downloading":
            job.state, job.failure = "failed", failure_of(error)
            await asyncio.to_thread(self._jobs.save, job, ours=False)
            self.say("download.error", job)

    async def _completed(self, job: DownloadJob) -> None:
        """Also where it was stopped in the moment after: the model is there."""
        self.waiting.pop(job.id, None)
        job.key = await asyncio.to_thread(self.key_of, job.path)
        job.state, job.completed, job.failure = "completed", time.time(), None
        await asyncio.to_thread(self._jobs.save, job, ours=False)
        self.say("download.end", job)
        self._notices.publish("models.changed", {"key": job.key})

    async def _discard(self, job: DownloadJob) -> None:
        """What has arrived, but for what other jobs are about to use."""
        stored = await asyncio.to_thread(self._jobs.all)
        others = {
            (one.job.repository, file.etag)
            for one in stored
            if one.job.id != job.id and one.job.state in UNFINISHED
            for file in one.job.files
        }
        for file in job.files:
            if (job.repository, file.etag) not in others:
                await asyncio.to_thread(job.repo.discard, file)
