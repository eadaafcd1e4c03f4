"""Stored responses and conversations: one SQLite file, shared by all servers of a user.

Every call blocks; callers on the event loop use a thread. Values are JSON that the dialect wrote:
what they mean is not known here.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
from jupyter_core.paths import jupyter_data_dir

__all__ = ["ResponseStore", "StoredResponse", "Turn", "default_path"]

log = logging.getLogger("lmnb.service")
decode, encode = msgspec.json.decode, msgspec.json.encode
Item = dict[str, Any]
CLOCK_SLACK = 5.0
"""Seconds by which a process may seem to have started earlier or later, when the clock was set."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    previous TEXT,
    owner TEXT,
    response BLOB NOT NULL,
    input BLOB NOT NULL,
    events BLOB
);
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    metadata BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS conversation_items (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    item BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS conversation_order ON conversation_items (conversation, position);
"""
CHAIN = """
WITH RECURSIVE chain (id, previous, input, response, depth) AS (
    SELECT id, previous, input, response, 0 FROM responses WHERE id = ?
    UNION ALL
    SELECT r.id, r.previous, r.input, r.response, chain.depth + 1
    FROM responses r JOIN chain ON r.id = chain.previous
)
SELECT previous, input, response FROM chain ORDER BY depth DESC
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one response was asked, and what it answered."""

    input: list[Item]
    output: list[Item]
    status: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    response: dict[str, Any]
    input: list[Item]
    orphaned: bool
    """The server that wrote it ended before the response did."""


class ResponseStore:
    """Opens its file on first use. Safe in threads, and beside other servers on the same file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    # -- responses

    def save(
        self,
        response: dict[str, Any],
        input: Sequence[Item],
        *,
        events: Sequence[bytes] = (),
        unfinished: bool = False,
    ) -> None:
        """Insert or replace. `unfinished`: this process is still writing it."""
        row = (
            response["id"],
            response["previous_response_id"],
            _this_process() if unfinished else None,
            encode(response),
            encode(input),
            zlib.compress(b"\n".join(events), 1) if events else None,
        )
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)", row)

    def get(self, id: str) -> StoredResponse | None:
        with self._transaction() as db:
            row = db.execute(
                "SELECT response, input, owner FROM responses WHERE id = ?", (id,)
            ).fetchone()
        if row is None:
            return None
        return StoredResponse(decode(row[0]), decode(row[1]), orphaned=_is_gone(row[2]))

    def events(self, id: str) -> list[bytes]:
        """The JSON of each event of a finished response, in order."""
        with self._transaction() as db:
            row = db.execute("SELECT events FROM responses WHERE id = ?", (id,)).fetchone()
        return zlib.decompress(row[0]).split(b"\n") if row and row[0] else []

    def delete(self, id: str) -> bool:
        """True if it was there."""
        with self._transaction() as db:
            return db.execute("DELETE FROM responses WHERE id = ?", (id,)).rowcount > 0

    def chain(self, id: str) -> list[Turn] | None:
        """Every turn from the first to `id`. None when one of them is not stored (any more)."""
        with self._transaction() as db:
            rows = db.execute(CHAIN, (id,)).fetchall()
        if not rows or rows[0][0] is not None:
            return None
        said = [decode(row[2]) for row in rows]
        return [
            Turn(decode(row[1]), response["output"], response["status"])
            for row, response in zip(rows, said, strict=True)
        ]

    # -- conversations

    def create_conversation(self, id: str, metadata: dict[str, str]) -> None:
        with self._transaction() as db:
            row = (id, int(time.time()), encode(metadata))
            db.execute("INSERT INTO conversations VALUES (?, ?, ?)", row)

    def conversation(self, id: str) -> tuple[int, dict[str, str]] | None:
        """When it was made, and its metadata."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT created_at, metadata FROM conversations WHERE id = ?", (id,)
            ).fetchone()
        return (row[0], decode(row[1])) if row else None

    def update_conversation(self, id: str, metadata: dict[str, str]) -> None:
        with self._transaction() as db:
            db.execute("UPDATE conversations SET metadata = ? WHERE id = ?", (encode(metadata), id))

    def delete_conversation(self, id: str) -> bool:
        """Its items go with it. True if it was there."""
        with self._transaction() as db:
            return db.execute("DELETE FROM conversations WHERE id = ?", (id,)).rowcount > 0

    def conversation_items(self, id: str) -> list[Item]:
        with self._transaction() as db:
            rows = db.execute(
                "SELECT item FROM conversation_items WHERE conversation = ? ORDER BY position",
                (id,),
            ).fetchall()
        return [decode(row[0]) for row in rows]

    def add_items(self, conversation: str, items: Sequence[Item]) -> bool:
        """All or none. False when the conversation is gone."""
        rows = [(conversation, item["id"], encode(item)) for item in items]
        statement = "INSERT INTO conversation_items (conversation, id, item) VALUES (?, ?, ?)"
        try:
            with self._transaction() as db:
                db.executemany(statement, rows)
        except sqlite3.IntegrityError:
            return False
        return True

    def delete_item(self, conversation: str, id: str) -> bool:
        with self._transaction() as db:
            statement = "DELETE FROM conversation_items WHERE conversation = ? AND id = ?"
            deleted = db.execute(statement, (conversation, id)).rowcount
        return deleted > 0

    # -- the file

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is None:
                self._db = _open(self._path or default_path())
            with self._db:
                yield self._db


def default_path() -> Path:
    """In Jupyter's data directory."""
    folder = Path(os.environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir())
    return folder / "lmnb" / "responses.sqlite"


def _open(path: Path) -> sqlite3.Connection:
    """Readable by its user alone. Where no file can be, what is stored lives as long as the server."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return _connect(str(path))
    except (OSError, sqlite3.Error) as error:
        log.warning("Responses are kept in memory only: %s: %s", path, error)
        return _connect(":memory:")


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, timeout=10, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")  # readers and a writer of other servers at once
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        db.executescript(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _this_process() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def _is_gone(owner: str | None) -> bool:
    """Has the process ended? Of another machine's nothing is known: it counts as alive."""
    if owner is None:
        return False
    host, pid, started = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        now: float = psutil.Process(int(pid)).create_time()
        return abs(now - float(started)) > CLOCK_SLACK
    except psutil.NoSuchProcess:
        return True
