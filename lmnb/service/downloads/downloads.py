"""Downloads as jobs of the server: they outlive who asked for them, and the server itself."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import Any

from lmnb.errors import InvalidRequest, NotFound
from lmnb.models.download.part import check_space
from lmnb.service.aside import aside
from lmnb.service.database import Database
from lmnb.service.downloads.job import UNFINISHED, DownloadJob, State
from lmnb.service.downloads.jobs import Asked, DownloadJobs, StoredJob
from lmnb.service.downloads.plan import Resolver, place_if_here, plan
from lmnb.service.downloads.queue import STEP_SECONDS, DownloadQueue
from lmnb.service.downloads.status import DownloadStatus, status_of
from lmnb.service.notices import Notices

__all__ = ["DOWNLOADS", "Downloads"]

log = logging.getLogger("lmnb.service")
DOWNLOADS = 3
"""That run at the same time."""
OBEY_STEPS = 8
"""How many steps another server may take to do what was asked of it."""


class Downloads:
    """For the event loop's thread. `limit` jobs run at once.

    `options` are the queue's: `busy` lasts as long as something is fetched, `key_of` says what the
    model whose first file this is is called.
    """

    def __init__(
        self,
        catalogue: Resolver,
        database: Database,
        notices: Notices,
        *,
        limit: int = DOWNLOADS,
        **options: Any,
    ) -> None:
        self._catalogue = catalogue
        self._jobs = DownloadJobs(database)
        self._queue = DownloadQueue(self._jobs, notices, limit=limit, **options)

    async def start(
        self, model: str, *, quantization: str | None = None, revision: str | None = None
    ) -> DownloadStatus:
        """Fetch what `model` means. A job for the same that has not ended is joined, and goes on if
        it was paused or had failed. What is here already needs no job: the status has no id then.

        Raises what `Catalogue.resolve` does; InvalidRequest (`ambiguous_model`) where one would have
        to choose; DiskFull; GatedModel.
        """
        await self.recover()
        job = await aside(plan, self._catalogue, model, quantization, revision)
        if await asyncio.to_thread(place_if_here, job):
            job.key = await asyncio.to_thread(self._queue.key_of, job.path)
            return status_of(job, job.sizes(), here=True)
        await asyncio.to_thread(self._check_space, job)
        async with self._queue.changing:
            stored = await asyncio.to_thread(self._jobs.add, job)
            if stored.job is job:
                await self._queue.put(job)
                self._queue.say("download.start", job)
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
        await self.recover()
        async with self._queue.changing:
            job = self._known(await self._find(id))
            if job.state in ("completed", "cancelled"):
                raise InvalidRequest(
                    f"{id} is {job.state}: ask for the model anew.", param="job_id"
                )
            if job.state in ("paused", "failed"):
                job.failure = None
                await self._queue.put(job)
                self._queue.say("download.start", job)
        return await self.status(id)

    async def recover(self) -> None:
        """Go on with what servers left that have ended."""
        try:
            async with self._queue.changing:
                for job in await asyncio.to_thread(self._jobs.adopt):
                    await self._queue.put(job)
        except sqlite3.Error as error:
            log.warning("Downloads of an earlier server are not gone on with: %s", error)

    async def close(self) -> None:
        """Stop what runs, where it stands: the next server goes on with it."""
        await self._queue.close()

    def _check_space(self, job: DownloadJob) -> None:
        missing = job.size_bytes - sum(job.present().values())
        check_space(job.repo.cache, missing + self._queue.reserved(job))

    async def _change(self, id: str, to: Asked, possible: tuple[State, ...]) -> DownloadStatus:
        async with self._queue.changing:
            stored = await self._find(id)
            job = self._known(stored)
            if job.state == to:
                return await self._status(stored)
            if job.state not in possible:
                raise InvalidRequest(f"{id} is {job.state}.", param="job_id")
            if stored.is_ours or stored.owner is None or stored.is_abandoned:
                await self._queue.stop(job, to)
                return await self._status(await self._find(id))
            await asyncio.to_thread(self._jobs.ask, id, to)
        for _ in range(OBEY_STEPS):
            await asyncio.sleep(STEP_SECONDS)
            if (status := await self.status(id))["state"] not in ("queued", "downloading"):
                return status
        async with self._queue.changing:  # its server hangs, or was on a machine that is no more
            await self._queue.stop((await self._find(id)).job, to)
        return await self.status(id)

    async def _find(self, id: str) -> StoredJob:
        stored = await asyncio.to_thread(self._jobs.get, id)
        if stored is None:
            raise NotFound(f"There is no download {id[:100]!r}.", param="job_id")
        return stored

    def _known(self, stored: StoredJob) -> DownloadJob:
        """The one that runs or waits here, where it does."""
        return self._queue.find(stored.job.id) or stored.job

    async def _status(self, stored: StoredJob) -> DownloadStatus:
        job = self._known(stored)
        run = self._queue.runs.get(job.id)
        if run is not None and job.state == "downloading":
            return status_of(job, run.received, run=run)
        if job.state == "completed":  # the model may have been removed since
            return status_of(job, job.sizes())
        return status_of(job, await asyncio.to_thread(job.present))
