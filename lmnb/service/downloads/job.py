"""A download as it is remembered: what was asked for, what it means, how far it came to pass."""

from __future__ import annotations

import logging
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec

from lmnb.errors import LmnbError
from lmnb.models.download.cache import CachedRepo
from lmnb.models.hub.repository import HubFile

__all__ = [
    "CANCELLED",
    "UNFINISHED",
    "DownloadFailure",
    "DownloadJob",
    "State",
    "failure_of",
    "new_id",
]

log = logging.getLogger("lmnb.service")

State = Literal["queued", "downloading", "paused", "completed", "failed", "cancelled"]
UNFINISHED: tuple[State, ...] = ("queued", "downloading", "paused", "failed")
"""A job in one of these can still become a model."""


class DownloadFailure(msgspec.Struct, frozen=True):
    """Why it stopped, as in an error's answer."""

    message: str
    type: str
    code: str | None


CANCELLED = DownloadFailure("It was cancelled.", "cancelled", "cancelled")


class DownloadJob(msgspec.Struct):
    """All files of one model at one commit. Times in seconds since 1970."""

    id: str
    model: str
    """As somebody typed it."""
    repository: str
    quantization: str
    commit: str
    revision: str
    """The branch or tag that is to mean this commit in the cache."""
    files: tuple[HubFile, ...]
    """In the order in which they are fetched: the model's own first."""
    cache: str
    state: State = "queued"
    created: float = msgspec.field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    failure: DownloadFailure | None = None
    key: str | None = None
    """What the model is called here, once it is here."""

    @property
    def repo(self) -> CachedRepo:
        return CachedRepo(Path(self.cache), self.repository)

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def path(self) -> Path:
        """Where the model's first file is, once it is here."""
        return self.repo.snapshot(self.commit, self.files[0].path)

    def is_like(self, other: DownloadJob) -> bool:
        """Would both have the same outcome?"""
        mine = (self.cache, self.repository, self.commit, set(self.files))
        return mine == (other.cache, other.repository, other.commit, set(other.files))

    def place(self) -> None:
        """Put what was fetched where users of the cache find it, the first file last: a model of
        several is listed when all are there. Blocks."""
        repo = self.repo
        for file in reversed(self.files):
            repo.link(self.commit, file)
        repo.point(self.revision, self.commit)

    def sizes(self) -> dict[str, int]:
        """Bytes by path, when all is here."""
        return {file.path: file.size for file in self.files}

    def present(self) -> dict[str, int]:
        """Bytes that are on the disk, by path. Blocks."""
        repo = self.repo
        return {file.path: repo.present_bytes(self.commit, file) for file in self.files}


def new_id() -> str:
    return f"job_{secrets.token_hex(5)}"


def failure_of(error: BaseException) -> DownloadFailure:
    """What to tell of what ended a job."""
    if isinstance(error, OSError):
        where = error.filename or "the cache"
        error = LmnbError(f"Could not write {where}: {error.strerror}", code="cannot_write")
    if isinstance(error, LmnbError):
        return DownloadFailure(error.message, error.type, error.code)
    log.error("A download failed", exc_info=error)
    message = "It failed for a reason of ours: the server's log has it."
    return DownloadFailure(message, LmnbError.type, None)
