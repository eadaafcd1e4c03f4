"""One job while this server runs it: a thread that fetches, and what is known of its progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lmnb.models.download.control import Control
from lmnb.models.download.file import PATIENCE, download
from lmnb.models.download.part import check_space
from lmnb.models.download.retrying import Patience
from lmnb.service.aside import begun
from lmnb.service.downloads.job import DownloadJob
from lmnb.service.downloads.rate import Rate

__all__ = ["DownloadRun"]


class DownloadRun:
    """`reserved`: how many bytes other jobs are going to need on the same disk."""

    def __init__(
        self,
        job: DownloadJob,
        *,
        reserved: Callable[[], int] = lambda: 0,
        patience: Patience = PATIENCE,
    ) -> None:
        self.job = job
        self.control = Control()
        self.rate = Rate()
        self.finished: asyncio.Future[None]
        self._reserved, self._patience = reserved, patience

    def start(self) -> None:
        """`finished` has what the thread ends with: Stopped, an error, or nothing."""
        self.finished = begun(self._fetch)

    def stop(self) -> None:
        self.control.stop()

    @property
    def received(self) -> dict[str, int]:
        """Bytes that are here, by path."""
        return dict(self.control.received)

    @property
    def missing_bytes(self) -> int:
        return self.job.size_bytes - sum(self.received.values())

    def measure(self) -> None:
        """To be called a few times a second."""
        self.rate.update(sum(self.received.values()), time.monotonic())

    def _fetch(self) -> None:
        """Nothing is to be found in the cache before all of it is there."""
        job, repo = self.job, self.job.repo
        self.control.received.update(job.present())
        check_space(repo.cache, self.missing_bytes + self._reserved())
        for file in job.files:
            download(repo, job.commit, file, self.control, self._patience)
        self.control.check()
        job.place()
