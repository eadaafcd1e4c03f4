"""What must outlive the server: one SQLite file for each user, shared by all of the user's servers.

A noun that keeps something (responses, keys, downloads, ...) has tables of its own here, made by its
own `Schema`. Every call blocks; callers on the event loop use a thread.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from jupyter_core.paths import jupyter_data_dir

__all__ = ["Database", "Schema", "default_path"]

log = logging.getLogger("lmnb.service")
BUSY_SECONDS = 10.0
"""How long a writer waits for another server's."""
NETWORK_FILESYSTEMS = ("nfs", "nfs4", "cifs", "smb", "smbfs", "smb2", "smb3", "afs", "9p", "lustre")
VERSIONS = "CREATE TABLE IF NOT EXISTS schemas (noun TEXT PRIMARY KEY, version INTEGER NOT NULL)"


@dataclass(frozen=True, slots=True)
class Schema:
    """A noun's tables, and how they became what they are.

    Each migration is a text of statements between semicolons, run once for each file, in order. To
    change a table, append one: those that are released stay as they are.
    """

    noun: str
    migrations: tuple[str, ...]


class Database:
    """Opens its file on first use. Safe in threads, and beside other servers on the same file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._schemas: list[Schema] = []

    def add(self, schema: Schema) -> None:
        """Tables that must be there before anything is read or written."""
        with self._lock:
            self._schemas.append(schema)
            if self._connection is not None:
                _migrate(self._connection, schema)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For queries. Waits for no other server."""
        with self._lock:
            yield self._open()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and alone: no other server writes between what is read and written here."""
        with self._lock, _transaction(self._open()) as connection:
            yield connection

    def close(self) -> None:
        """Harmless twice. The next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = _open(self._path or default_path())
            for schema in self._schemas:
                _migrate(connection, schema)
            self._connection = connection
        return self._connection


def default_path() -> Path:
    """In Jupyter's data directory."""
    folder = Path(os.environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir())
    return folder / "lmnb" / "lmnb.sqlite"


def _open(path: Path) -> sqlite3.Connection:
    """Readable by its user alone. Where no file can be, what is stored lives as long as the server."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return _connect(str(path), shared_memory=not _is_remote(path))
    except (OSError, sqlite3.Error) as error:
        log.warning("Responses and keys are kept in memory only: %s: %s", path, error)
        return _connect(":memory:", shared_memory=False)


def _connect(name: str, *, shared_memory: bool) -> sqlite3.Connection:
    """Transactions begin where we say so."""
    connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None
    )
    try:
        if shared_memory:
            # Readers and a writer at once. Where it cannot be had, one waits for the other.
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        with _transaction(connection):
            connection.execute(VERSIONS)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_remote(path: Path) -> bool:
    """On a disk that other machines share? The shared memory of WAL would not reach them."""
    here = path.resolve()
    mounts = [
        (len(mount.mountpoint), mount.fstype, mount.opts)
        for mount in psutil.disk_partitions(all=True)
        if here.is_relative_to(mount.mountpoint)
    ]
    _, kind, options = max(mounts, default=(0, "", ""))
    on_windows = here.drive.startswith("\\\\") or "remote" in options.split(",")
    return on_windows or kind.lower().removeprefix("fuse.") in NETWORK_FILESYSTEMS


def _migrate(connection: sqlite3.Connection, schema: Schema) -> None:
    with _transaction(connection):
        question = "SELECT version FROM schemas WHERE noun = ?"
        row = connection.execute(question, (schema.noun,)).fetchone()
        done = row[0] if row else 0
        for migration in schema.migrations[done:]:
            for statement in migration.split(";"):
                connection.execute(statement)
        if done < len(schema.migrations):  # a newer lmnb may have gone further
            new = (schema.noun, len(schema.migrations))
            connection.execute("INSERT OR REPLACE INTO schemas VALUES (?, ?)", new)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
