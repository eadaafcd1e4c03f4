"""The downloads of all of a user's servers: one runs a job, each can see and stop it.

Every call blocks; callers on the event loop use a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Literal

import msgspec

from lmnb.service.database import Database, Schema
from lmnb.service.downloads.job import UNFINISHED, DownloadJob
from lmnb.service.owner import is_gone, this_process

__all__ = ["Asked", "DownloadJobs", "StoredJob"]

SCHEMA = Schema(
    "downloads",
    (
        """
CREATE TABLE downloads (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    owner TEXT,
    asked TEXT,
    job BLOB NOT NULL
)
        """,
    ),
)
KEPT = 200
"""Finished jobs that are remembered."""
Asked = Literal["paused", "cancelled"]
encode, decode = msgspec.json.encode, msgspec.json.Decoder(DownloadJob).decode


@dataclass(frozen=True, slots=True)
class StoredJob:
    """`owner`: the server that runs it, or is to. `asked`: what another one wants of that."""

    job: DownloadJob
    owner: str | None
    asked: Asked | None

    @property
    def is_ours(self) -> bool:
        return self.owner == this_process()

    @property
    def is_abandoned(self) -> bool:
        """Meant to run, and nobody is there to run it."""
        unattended = self.owner is None or is_gone(self.owner)
        return unattended and self.job.state in ("queued", "downloading")


class DownloadJobs:
    """Safe in threads, and beside other servers on the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.add(SCHEMA)

    def all(self) -> list[StoredJob]:
        """The newest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT owner, asked, job FROM downloads ORDER BY created DESC")
            return [_stored(row) for row in rows]

    def get(self, id: str) -> StoredJob | None:
        with self._database.reading() as db:
            question = "SELECT owner, asked, job FROM downloads WHERE id = ?"
            row = db.execute(question, (id,)).fetchone()
        return _stored(row) if row else None

    def add(self, job: DownloadJob) -> StoredJob:
        """It is ours, unless there is an unfinished one that would have the same outcome: then that
        is returned."""
        with self._database.writing() as db:
            rows = db.execute("SELECT owner, asked, job FROM downloads").fetchall()
            for stored in map(_stored, rows):
                if stored.job.state in UNFINISHED and stored.job.is_like(job):
                    return stored
            _forget_old(db, [stored.job for stored in map(_stored, rows)])
            row = (job.id, job.created, this_process(), encode(job))
            db.execute("INSERT INTO downloads VALUES (?, ?, ?, NULL, ?)", row)
        return StoredJob(job, this_process(), None)

    def save(self, job: DownloadJob, *, ours: bool) -> None:
        """`ours`: this server runs it, or is to. What was asked of its owner is answered by this."""
        row = (this_process() if ours else None, encode(job), job.id)
        with self._database.writing() as db:
            db.execute("UPDATE downloads SET owner = ?, asked = NULL, job = ? WHERE id = ?", row)

    def adopt(self) -> list[DownloadJob]:
        """Take over what servers left that have ended. Of several servers one gets each."""
        if not any(stored.is_abandoned for stored in self.all()):
            return []
        with self._database.writing() as db:
            rows = db.execute("SELECT owner, asked, job FROM downloads ORDER BY created").fetchall()
            jobs = [stored.job for stored in map(_stored, rows) if stored.is_abandoned]
            mine: Iterable[Any] = [(this_process(), job.id) for job in jobs]
            db.executemany("UPDATE downloads SET owner = ?, asked = NULL WHERE id = ?", mine)
        return jobs

    def ask(self, id: str, what: Asked) -> None:
        """Want something of the server that runs the job."""
        with self._database.writing() as db:
            db.execute("UPDATE downloads SET asked = ? WHERE id = ?", (what, id))

    def asked_of_us(self) -> dict[str, Asked]:
        """By job."""
        with self._database.reading() as db:
            question = "SELECT id, asked FROM downloads WHERE owner = ? AND asked IS NOT NULL"
            return dict(db.execute(question, (this_process(),)).fetchall())


def _stored(row: tuple[str | None, Asked | None, bytes]) -> StoredJob:
    return StoredJob(decode(row[2]), row[0], row[1])


def _forget_old(db: Connection, jobs: Sequence[DownloadJob]) -> None:
    finished = [job for job in jobs if job.state not in UNFINISHED]
    finished.sort(key=lambda job: job.created, reverse=True)
    db.executemany("DELETE FROM downloads WHERE id = ?", [(job.id,) for job in finished[KEPT:]])
