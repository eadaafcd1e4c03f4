"""One file for what must outlive the server."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lmnb.service.database import Database, Schema

COUNTERS = Schema("counters", ("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER)",))
COUNTER = """
import sys
from pathlib import Path
from tests.service.test_database import COUNTERS, increase
from lmnb.service.database import Database
database = Database(Path(sys.argv[1]))
database.add(COUNTERS)
for _ in range(50):
    increase(database)
database.close()
"""


def increase(database: Database) -> None:
    """Read, then write: wrong if somebody writes in between."""
    with database.writing() as connection:
        row = connection.execute("SELECT value FROM counters").fetchone()
        value = row[0] + 1 if row else 1
        connection.execute("INSERT OR REPLACE INTO counters VALUES ('n', ?)", (value,))


def fail_halfway(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("UPDATE counters SET value = 9")
        connection.execute("UPDATE nothing SET value = 9")


def value(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute("SELECT value FROM counters").fetchone()[0])


def test_what_servers_read_and_write_at_the_same_time_is_not_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lmnb.sqlite"
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", COUNTER, str(path)], cwd=root) for _ in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    database = Database(path)
    database.add(COUNTERS)
    assert value(database) == 150
    database.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "lmnb.sqlite")
    database.add(COUNTERS)
    increase(database)
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        fail_halfway(database)
    assert value(database) == 1
    database.close()


def test_a_newer_schema_changes_an_older_file_once(tmp_path: Path) -> None:
    path = tmp_path / "lmnb.sqlite"
    old, new = Database(path), Database(path)
    old.add(COUNTERS)
    increase(old)
    more = "ALTER TABLE counters ADD COLUMN note TEXT; UPDATE counters SET note = 'seen'"
    with new.reading():
        pass  # opened before anybody asked for tables
    for _ in range(2):
        new.add(Schema("counters", (*COUNTERS.migrations, more)))
    with new.reading() as connection:
        assert connection.execute("SELECT * FROM counters").fetchall() == [("n", 1, "seen")]
    reopened = Database(path)
    reopened.add(COUNTERS)  # an older lmnb on a newer file
    assert value(reopened) == 1
    for database in (old, new, reopened):
        database.close()


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmnb" / "lmnb.sqlite"
    database = Database(path)
    with database.reading():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database.close()


def test_without_a_place_for_the_file_memory_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    database = Database(tmp_path / "file" / "lmnb.sqlite")
    database.add(COUNTERS)
    increase(database)
    assert value(database) == 1
    assert "in memory only" in caplog.text
    database.close()


def test_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    database = Database(tmp_path / "lmnb.sqlite")
    database.add(Schema("notes", ("CREATE TABLE notes (text TEXT)",)))
    with database.writing() as connection:
        connection.execute("INSERT INTO notes VALUES ('forget me')")
    with database.writing() as connection:
        connection.execute("DELETE FROM notes")
    database.close()
    assert b"forget me" not in (tmp_path / "lmnb.sqlite").read_bytes()
    left = sqlite3.connect(tmp_path / "lmnb.sqlite")
    assert left.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    left.close()


@pytest.mark.parametrize(
    ("kind", "options", "mode"),
    [("ext4", "rw", "wal"), ("nfs4", "rw", "delete"), ("NTFS", "rw,remote", "delete")],
)
def test_servers_on_several_machines_share_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str, mode: str
) -> None:
    mount = SimpleNamespace(mountpoint=str(tmp_path), fstype=kind, opts=options)
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [mount])
    database = Database(tmp_path / "lmnb.sqlite")
    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
    database.close()
