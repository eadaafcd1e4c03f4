"""What a header says is read once, also by the next server, until the file changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmnb.models.store import facts
from lmnb.models.store.store import ModelStore
from tests.models import raw


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Headers that were really read."""
    read: list[Path] = []
    original = facts.read_header
    monkeypatch.setattr(facts, "read_header", lambda path: (read.append(path), original(path))[1])
    return read


def server(tmp_path: Path) -> ModelStore:
    """A new one, over the same folder."""
    return ModelStore(
        [tmp_path / "root"], import_dir=tmp_path / "own", facts=tmp_path / "data/headers.msgpack"
    )


def test_the_next_server_reads_no_header_again(tmp_path: Path, reads: list[Path]) -> None:
    raw.put(tmp_path / "root/m-Q4_0.gguf", raw.model())
    raw.put(tmp_path / "root/broken.gguf", b"GGUF")
    first, second = server(tmp_path), server(tmp_path)
    before = (first.list(), first.look().problems)
    assert len(reads) == 2
    assert (second.list(), second.look().problems) == before
    assert len(reads) == 2


def test_a_changed_file_is_read_again(tmp_path: Path, reads: list[Path]) -> None:
    path = raw.put(tmp_path / "root/m.gguf", raw.model())
    server(tmp_path).list()
    path.write_bytes(raw.model(values=128))
    os.utime(path, ns=(1, 1))
    assert server(tmp_path).find("m").info.parameters == 128
    assert len(reads) == 2


def test_what_is_no_longer_there_is_forgotten(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "MOST_KEPT", 2)
    kept, path = facts.Facts(), raw.put(tmp_path / "m.gguf", raw.model())
    for time in (0, 1, 2, 2, 0):
        kept.of([path], ((str(path), 1, time),))
        kept.save()
    assert len(reads) == 4


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x82\xa6format\xa1x\xa5facts\x90"])
def test_a_file_of_another_version_or_none_is_not_believed(tmp_path: Path, content: bytes) -> None:
    raw.put(tmp_path / "data/headers.msgpack", content)
    raw.put(tmp_path / "root/m.gguf", raw.model())
    assert len(server(tmp_path).list()) == 1


def test_where_nothing_can_be_kept_models_are_listed_all_the_same(tmp_path: Path) -> None:
    raw.put(tmp_path / "data", b"a file in the place of the folder")
    raw.put(tmp_path / "root/m.gguf", raw.model())
    assert len(server(tmp_path).list()) == 1
