"""The store of responses: several servers, one file."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmnb.service.responses import ResponseStore

WRITER = """
import sys
from pathlib import Path
from lmnb.service.responses import ResponseStore
store = ResponseStore(Path(sys.argv[1]))
for number in range(50):
    id = f"resp_{sys.argv[2]}_{number}"
    store.save({"id": id, "previous_response_id": None, "output": [], "status": "completed"}, [])
store.close()
"""


def response(id: str, previous: str | None = None, text: str = "") -> dict[str, Any]:
    return {
        "id": id,
        "previous_response_id": previous,
        "output": [{"id": f"msg_{id}", "text": text}],
        "status": "completed",
    }


def test_servers_write_to_one_file_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "responses.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    store = ResponseStore(path)
    assert all(store.get(f"resp_{n}_{m}") for n in range(3) for m in range(50))
    store.close()


def test_what_an_ended_process_left_unfinished_is_orphaned(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    script = WRITER.replace(", [])", ", [], unfinished=True)")
    subprocess.run([sys.executable, "-c", script, str(path), "x"], check=True)
    store = ResponseStore(path)
    store.save(response("resp_mine"), [], unfinished=True)
    gone, mine = store.get("resp_x_0"), store.get("resp_mine")
    assert gone is not None and gone.orphaned
    assert mine is not None and not mine.orphaned
    store.close()


def test_a_chain_is_read_from_its_first_turn(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "responses.sqlite")
    store.save(response("a", text="1"), [{"id": "i", "text": "0"}])
    store.save(response("b", "a", "3"), [{"id": "j", "text": "2"}])
    store.save(response("c", "a", "5"), [{"id": "k", "text": "4"}])
    turns = store.chain("c")
    assert turns is not None
    said = [item["text"] for turn in turns for item in (*turn.input, *turn.output)]
    assert said == ["0", "1", "4", "5"]
    assert store.delete("a")
    assert store.chain("c") is None
    assert store.chain("nobody") is None
    store.close()


def test_items_go_with_their_conversation(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    store = ResponseStore(path)
    store.create_conversation("conv", {})
    assert store.add_items("conv", [{"id": "a"}, {"id": "b"}])
    assert not store.add_items("nobody", [{"id": "a"}])
    assert store.delete_conversation("conv")
    store.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM conversation_items").fetchone() == (0,)
    db.close()


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "lmnb" / "responses.sqlite")
    store.save(response("a"), [])
    assert stat.S_IMODE((tmp_path / "lmnb" / "responses.sqlite").stat().st_mode) == 0o600
    store.close()


def test_without_a_place_for_the_file_memory_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    store = ResponseStore(tmp_path / "file" / "responses.sqlite")
    store.save(response("a"), [])
    assert store.get("a") is not None
    assert "in memory only" in caplog.text
    store.close()
