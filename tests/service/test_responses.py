"""The store of responses: several servers, one file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from lmnb.service.database import Database
from lmnb.service.responses import ResponseStore

WRITER = """
import sys
from pathlib import Path
from lmnb.service.database import Database
from lmnb.service.responses import ResponseStore
database = Database(Path(sys.argv[1]))
store = ResponseStore(database)
for number in range(50):
    id = f"resp_{sys.argv[2]}_{number}"
    store.save({"id": id, "previous_response_id": None, "output": [], "status": "completed"}, [])
database.close()
"""


def response(id: str, previous: str | None = None, text: str = "") -> dict[str, Any]:
    return {
        "id": id,
        "previous_response_id": previous,
        "output": [{"id": f"msg_{id}", "text": text}],
        "status": "completed",
    }


def test_servers_write_to_one_file_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lmnb.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    database = Database(path)
    store = ResponseStore(database)
    assert all(store.get(f"resp_{n}_{m}") for n in range(3) for m in range(50))
    database.close()


def test_what_an_ended_process_left_unfinished_is_orphaned(tmp_path: Path) -> None:
    path = tmp_path / "lmnb.sqlite"
    script = WRITER.replace(", [])", ", [], unfinished=True)")
    subprocess.run([sys.executable, "-c", script, str(path), "x"], check=True)
    database = Database(path)
    store = ResponseStore(database)
    store.save(response("resp_mine"), [], unfinished=True)
    gone, mine = store.get("resp_x_0"), store.get("resp_mine")
    assert gone is not None and gone.orphaned
    assert mine is not None and not mine.orphaned
    database.close()


def test_a_chain_is_read_from_its_first_turn(tmp_path: Path) -> None:
    database = Database(tmp_path / "lmnb.sqlite")
    store = ResponseStore(database)
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
    database.close()


def test_items_go_with_their_conversation(tmp_path: Path) -> None:
    path = tmp_path / "lmnb.sqlite"
    database = Database(path)
    store = ResponseStore(database)
    store.create_conversation("conv", {})
    assert store.add_items("conv", [{"id": "a"}, {"id": "b"}])
    assert not store.add_items("nobody", [{"id": "a"}])
    assert store.delete_conversation("conv")
    database.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM conversation_items").fetchone() == (0,)
    db.close()
