"""One job while this server runs it: a thread that fetches, and what is known of its progress."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from lmnb.models.download.control import Control
from lmnb.models.download.file import PATIENCE, download
from lmnb.models.download.part import check_space
from lmnb.models.download.retrying import Patience
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
        self._reserved, self._patience = reserved, patience
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Has what the thread ended with: Stopped, an error, or nothing."""

    def start(self) -> None:
        """A thread of its own, which the process does not wait for when it ends."""
        name = f"lmnb-{self.job.id}"
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name=name, daemon=True).start()

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

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        error: BaseException | None = None
        try:
            self._fetch()
        except BaseException as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(self._finish, error)
        except RuntimeError:
            pass  # the server has ended meanwhile; the next one goes on

    def _finish(self, error: BaseException | None) -> None:
        if self.finished.cancelled():
            return
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)

    def _fetch(self) -> None:
        """Nothing is to be found in the cache before all of it is there."""
        job, repo = self.job, self.job.repo
        self.control.received.update(job.present())
        check_space(repo.cache, self.missing_bytes + self._reserved())
        for file in job.files:
            download(repo, job.commit, file, self.control, self._patience)
        self.control.check()
        job.place()
