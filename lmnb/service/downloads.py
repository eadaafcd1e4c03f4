"""Downloads as jobs of the server: they outlive who asked for them, and the server itself."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

from lmnb.errors import InvalidRequest, LmnbError, NotFound
from lmnb.models.control import Stopped
from lmnb.models.download import PATIENCE, locate
from lmnb.models.hub_access import endpoint
from lmnb.models.part import check_space
from lmnb.models.resolution import Resolution
from lmnb.models.retrying import Patience, Trouble
from lmnb.models.roots import hub_cache
from lmnb.models.wish import parse_wish
from lmnb.service.database import Database
from lmnb.service.download_job import UNFINISHED, DownloadFailure, DownloadJob, State, new_id
from lmnb.service.download_jobs import Asked, DownloadJobs, StoredJob
from lmnb.service.download_run import DownloadRun
from lmnb.service.download_status import DownloadStatus, status_of
from lmnb.service.notices import Notices

__all__ = ["Downloads", "Resolver", "most_at_once"]

log = logging.getLogger("lmnb.service")
STEP_SECONDS = 0.5
"""How often progress is told, and another server's wishes are looked at."""
CLOSE_SECONDS = 2.0
OBEY_STEPS = 8
"""How many steps another server may take to do what was asked of it."""


class Resolver(Protocol):
    """What knows which files a name means: `service.catalogue.Catalogue`."""

    def resolve(
        self, name: str, *, quantization: str | None = None, revision: str | None = None
    ) -> Resolution: ...


def most_at_once(environ: Any = os.environ) -> int:
    """`LMNB_DOWNLOADS`. Raises InvalidRequest."""
    text = environ.get("LMNB_DOWNLOADS", "").strip() or "3"
    if not text.isdigit() or not 1 <= int(text) <= 32:
        raise InvalidRequest("LMNB_DOWNLOADS must be a whole number from 1 to 32")
    return int(text)


class Downloads:
    """At most `limit` run at once, the others wait in order. For the event loop's thread.

    `key_of` says what the model whose first file this is is called; `busy` lasts as long as something
    is fetched.
    """

    def __init__(
        self,
        catalogue: Resolver,
        database: Database,
        notices: Notices,
        *,
        limit: int = 3,
        busy: Callable[[], AbstractContextManager[None]] = nullcontext,
        key_of: Callable[[Path], str | None] = lambda _: None,
        patience: Patience = PATIENCE,
    ) -> None:
        self.limit = limit
        self._catalogue, self._notices = catalogue, notices
        self._jobs = DownloadJobs(database)
        self._busy, self._key_of, self._patience = busy, key_of, patience
        self._runs: dict[str, DownloadRun] = {}
        """Those with a thread, which may be about to end."""
        self._waiting: dict[str, DownloadJob] = {}
        """Queued here, the first first."""
        self._watchers: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        """Held whenever a job's state changes: what was read is still so when it is written."""
        self._closed = False

    # -- what one may do

    async def start(
        self, model: str, *, quantization: str | None = None, revision: str | None = None
    ) -> DownloadStatus:
        """Fetch what `model` means. A job for the same that has not ended is joined, and goes on if
        it was paused or had failed. What is here already needs no job: the status has no id then.

        Raises what `Catalogue.resolve` does; InvalidRequest (`ambiguous_model`) where one would have to
        choose; DiskFull; GatedModel.
        """
        job = await asyncio.to_thread(self._plan, model, quantization, revision)
        if await asyncio.to_thread(self._settle, job):
            return status_of(job, {file.path: file.size for file in job.files}, here=True)
        await asyncio.to_thread(self._check_space, job)
        async with self._changing:
            stored = await asyncio.to_thread(self._jobs.add, job)
            if stored.job is job:
                await self._queue(job)
                self._say("download.start", job)
        if stored.job is not job and stored.job.state in ("paused", "failed"):
            return await self.resume(stored.job.id)
        return await self.status(stored.job.id)

    async def list(self) -> list[DownloadStatus]:
        """The newest first, of all servers."""
        await self.recover()
        return [await self._status(stored) for stored in await asyncio.to_thread(self._jobs.all)]

    async def status(self, id: str) -> DownloadStatus:
        """Raises NotFound."""
        return await self._status(await self._find(id))

    async def pause(self, id: str) -> DownloadStatus:
        """What has arrived is kept. Raises NotFound, InvalidRequest for a job that has ended."""
        return await self._change(id, "paused", ("queued", "downloading"))

    async def cancel(self, id: str) -> DownloadStatus:
        """What has arrived is deleted. Raises NotFound, InvalidRequest for a completed job."""
        return await self._change(id, "cancelled", UNFINISHED)

    async def resume(self, id: str) -> DownloadStatus:
        """Go on with a paused or failed job. Raises NotFound, InvalidRequest for one that has ended."""
        async with self._changing:
            stored = await self._find(id)
            job = self._known(stored)
            if job.state in ("completed", "cancelled"):
                raise InvalidRequest(
                    f"{id} is {job.state}: ask for the model anew.", param="job_id"
                )
            if job.state in ("paused", "failed"):
                job.failure = None
                await self._queue(job)
                self._say("download.start", job)
        return await self.status(id)

    async def recover(self) -> None:
        """Go on with what servers left that have ended."""
        try:
            async with self._changing:
                for job in await asyncio.to_thread(self._jobs.adopt):
                    await self._queue(job)
        except sqlite3.Error as error:
            log.warning("Downloads of an earlier server are not gone on with: %s", error)

    async def close(self) -> None:
        """Stop what runs, where it stands: the next server goes on with it."""
        async with self._changing:
            self._closed = True
            for run in self._runs.values():
                run.stop()
            for job in self._waiting.values():
                await asyncio.to_thread(self._jobs.save, job, ours=False)
            self._waiting.clear()
        if self._watchers:
            _, late = await asyncio.wait(self._watchers, timeout=CLOSE_SECONDS)
            for watcher in late:
                watcher.cancel()

    # -- before it begins (in threads)

    def _plan(self, model: str, quantization: str | None, revision: str | None) -> DownloadJob:
        found = self._catalogue.resolve(model, quantization=quantization, revision=revision)
        if not found.certain:
            raise InvalidRequest(_choices(model, found), param="model", code="ambiguous_model")
        if found.repo.gated:
            with suppress(Trouble):  # it may pass until the job begins
                locate(found.repo.id, found.repo.revision, found.files[0])
        asked = revision or parse_wish(model, endpoint=endpoint()).revision or "main"
        return DownloadJob(
            id=new_id(),
            model=model,
            repository=found.repo.id,
            quantization=found.variant.quant,
            commit=found.repo.revision,
            revision=asked,
            files=found.files,
            cache=str(hub_cache(os.environ).expanduser().absolute()),
        )

    def _settle(self, job: DownloadJob) -> bool:
        """Is all of it here? Then it is also where users of the cache find it."""
        repo = job.repo
        if not all(repo.has_blob(file) or repo.has(job.commit, file) for file in job.files):
            return False
        job.place()
        job.key = self._key_of(job.path)
        return True

    def _check_space(self, job: DownloadJob) -> None:
        missing = job.size_bytes - sum(job.present().values())
        check_space(job.repo.cache, missing + self._reserved(job))

    def _reserved(self, job: DownloadJob) -> int:
        """What the other jobs are going to take. Any thread."""
        runs, waiting = list(self._runs.values()), list(self._waiting.values())
        return sum(run.missing_bytes for run in runs if run.job.id != job.id) + sum(
            one.size_bytes for one in waiting if one.id != job.id
        )

    # -- changes of state (with the lock held)

    async def _queue(self, job: DownloadJob) -> None:
        job.state = "queued"
        await asyncio.to_thread(self._jobs.save, job, ours=True)
        self._waiting[job.id] = job
        await self._begin_next()

    async def _begin_next(self) -> None:
        """A job that was stopped begins again only when its old thread has ended."""
        for job in list(self._waiting.values()):
            if self._closed or len(self._runs) >= self.limit:
                return
            if job.id in self._runs:
                continue
            del self._waiting[job.id]
            job.state, job.started = "downloading", job.started or time.time()
            await asyncio.to_thread(self._jobs.save, job, ours=True)
            self._begin(job)

    def _begin(self, job: DownloadJob) -> None:
        run = self._runs[job.id] = DownloadRun(
            job, reserved=lambda: self._reserved(job), patience=self._patience
        )
        run.start()
        watcher = asyncio.ensure_future(self._watch(run))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _change(self, id: str, to: Asked, possible: tuple[State, ...]) -> DownloadStatus:
        async with self._changing:
            stored = await self._find(id)
            job = self._known(stored)
            if job.state != to:
                if job.state not in possible:
                    raise InvalidRequest(f"{id} is {job.state}.", param="job_id")
                if stored.is_ours or not _is_attended(stored):
                    await self._stop(job, to)
                else:
                    await asyncio.to_thread(self._jobs.ask, id, to)
        for _ in range(OBEY_STEPS):
            if (status := await self.status(id))["state"] != "downloading":
                return status
            await asyncio.sleep(STEP_SECONDS)
        async with self._changing:  # its server hangs, or was on a machine that is no more
            await self._stop((await self._find(id)).job, to)
        return await self.status(id)

    async def _stop(self, job: DownloadJob, to: Asked) -> None:
        job.state = to
        self._waiting.pop(job.id, None)
        await asyncio.to_thread(self._jobs.save, job, ours=False)
        if (run := self._runs.get(job.id)) is not None:
            run.stop()
        elif to == "cancelled":
            await self._discard(job)
        self._say("download.paused" if to == "paused" else "download.cancelled", job)

    async def _discard(self, job: DownloadJob) -> None:
        """What has arrived, but for what other jobs are about to use."""
        stored = await asyncio.to_thread(self._jobs.all)
        others = {
            (one.job.repository, file.etag)
            for one in stored
            if one.job.id != job.id
            and one.job.state in ("queued", "downloading", "paused", "failed")
            for file in one.job.files
        }
        for file in job.files:
            if (job.repository, file.etag) not in others:
                await asyncio.to_thread(job.repo.discard, file)

    # -- while it runs

    async def _watch(self, run: DownloadRun) -> None:
        with self._busy():
            while not (await asyncio.wait({run.finished}, timeout=STEP_SECONDS))[0]:
                run.measure()
                if run.job.state == "downloading":
                    self._say("download.progress", run.job)
                with suppress(sqlite3.Error):  # they ask again
                    await self._obey()
        async with self._changing:
            try:
                await self._ended(run)
            finally:
                del self._runs[run.job.id]
                await self._begin_next()

    async def _obey(self) -> None:
        """Do what other servers were told to have us do."""
        for id, what in (await asyncio.to_thread(self._jobs.asked_of_us)).items():
            async with self._changing:
                job = self._runs[id].job if id in self._runs else self._waiting.get(id)
                if job is not None and job.state in ("queued", "downloading"):
                    await self._stop(job, what)

    async def _ended(self, run: DownloadRun) -> None:
        job, error = run.job, run.finished.exception()
        if error is None:
            await self._completed(job)
        elif isinstance(error, Stopped):
            if job.state == "cancelled":
                await self._discard(job)
            elif job.state == "downloading":  # the server ends
                await asyncio.to_thread(self._jobs.save, job, ours=False)
        elif job.state == "downloading":
            job.state, job.failure = "failed", _failure(error)
            await asyncio.to_thread(self._jobs.save, job, ours=False)
            self._say("download.error", job, run)
        elif job.state == "cancelled":
            await self._discard(job)

    async def _completed(self, job: DownloadJob) -> None:
        """Also where it was stopped in the moment after: the model is there."""
        self._waiting.pop(job.id, None)
        job.state, job.completed = "completed", time.time()
        job.key = await asyncio.to_thread(self._key_of, job.path)
        await asyncio.to_thread(self._jobs.save, job, ours=False)
        self._say("download.end", job)
        self._notices.publish("models.changed", {"key": job.key})

    # -- looking

    async def _find(self, id: str) -> StoredJob:
        stored = await asyncio.to_thread(self._jobs.get, id)
        if stored is None:
            raise NotFound(f"There is no download {id[:100]!r}.", param="job_id")
        return stored

    def _known(self, stored: StoredJob) -> DownloadJob:
        """The one that runs or waits here, where it does."""
        id = stored.job.id
        return self._waiting.get(id) or (self._runs[id].job if id in self._runs else stored.job)

    async def _status(self, stored: StoredJob) -> DownloadStatus:
        job = self._known(stored)
        run = self._runs.get(job.id)
        if run is not None and job.state == "downloading":
            return status_of(job, run.received, run=run)
        return status_of(job, await asyncio.to_thread(job.present))

    def _say(self, kind: Any, job: DownloadJob, run: DownloadRun | None = None) -> None:
        run = run or self._runs.get(job.id)
        received = run.received if run else {}
        self._notices.publish(kind, status_of(job, received, run=run))


def _is_attended(stored: StoredJob) -> bool:
    return stored.owner is not None and not stored.is_abandoned


def _choices(model: str, found: Resolution) -> str:
    names = [f"{one.repo}@{one.quant}" if one.quant else one.repo for one in found.candidates]
    return f"{model!r} could be any of: {', '.join(names[:8])}"


def _failure(error: BaseException) -> DownloadFailure:
    if isinstance(error, OSError):
        where = error.filename or "the cache"
        error = LmnbError(f"Could not write {where}: {error.strerror}", code="cannot_write")
    if isinstance(error, LmnbError):
        return DownloadFailure(error.message, error.type, error.code)
    log.error("A download failed", exc_info=error)
    return DownloadFailure(
        "It failed for a reason of ours: the server's log has it.", "server_error", None
    )
