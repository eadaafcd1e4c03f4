"""/api/v1/models/download and what is below it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body

__all__ = [
    "CancelHandler",
    "DownloadRequest",
    "DownloadStatusHandler",
    "DownloadsHandler",
    "JobRequest",
    "PauseHandler",
    "ResumeHandler",
]


class DownloadRequest(Body):
    """`model` is anything that `%lms get` takes: a name, a repository, a file of it, an address."""

    model: Annotated[str, Field(min_length=1, max_length=500)]
    quantization: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    revision: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class JobRequest(Body):
    job_id: Annotated[str, Field(min_length=1, max_length=100)]


class DownloadsHandler(ApiHandler):
    """Fetch a model from the Hub, and see all that are fetched or were."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(DownloadRequest)
        self.reply(
            await self.services.downloads.start(
                request.model, quantization=request.quantization, revision=request.revision
            )
        )

    @endpoint
    async def get(self) -> None:
        self.reply({"downloads": await self.services.downloads.list()})

    head = get


class DownloadStatusHandler(ApiHandler):
    """How far it is."""

    @endpoint
    async def get(self, job_id: str) -> None:
        self.reply(await self.services.downloads.status(job_id))

    head = get


class PauseHandler(ApiHandler):
    """Stop, and keep what has arrived."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(JobRequest)
        self.reply(await self.services.downloads.pause(request.job_id))


class ResumeHandler(ApiHandler):
    """Go on: after a pause, and after a failure."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(JobRequest)
        self.reply(await self.services.downloads.resume(request.job_id))


class CancelHandler(ApiHandler):
    """Stop, and delete what has arrived."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(JobRequest)
        self.reply(await self.services.downloads.cancel(request.job_id))
