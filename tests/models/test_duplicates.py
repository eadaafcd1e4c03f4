"""Equal content is found by its hash, and a file under two names is one file."""

from __future__ import annotations

import os
from pathlib import Path

from lmnb.models.store.duplicates import Hashes
from lmnb.models.store.store import ModelStore
from tests.models import raw


def test_copies_are_found_and_links_are_none(tmp_path: Path) -> None:
    first = raw.put(tmp_path / "a/m.gguf", raw.model())
    second = raw.put(tmp_path / "b/m.gguf", raw.model())
    raw.put(tmp_path / "c/same-size.gguf", raw.model(name="lamma"))
    raw.put(tmp_path / "c/other.gguf", raw.model(values=128))
    os.link(first, tmp_path / "a/linked.gguf")
    (tmp_path / "b/link.gguf").symlink_to(second)
    models = ModelStore([tmp_path], import_dir=tmp_path / "own")
    (found,) = models.duplicates()
    assert {os.path.realpath(copy.path) for copy in found.copies} == {
        str(tmp_path / "a/linked.gguf"),
        str(second),
    }
    assert found.wasted_bytes == found.size_bytes == first.stat().st_size


def test_a_blob_s_name_is_its_hash(tmp_path: Path) -> None:
    digest = "ab" * 32
    blob = raw.put(tmp_path / "blobs" / digest, b"anything")
    link = tmp_path / "m.gguf"
    link.symlink_to(blob)
    assert Hashes().of(link) == digest
    assert Hashes().of(raw.put(tmp_path / f"sha256-{digest}", b"")) == digest


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path, hashes = raw.put(tmp_path / "m.gguf", b"one"), Hashes()
    before = hashes.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert hashes.of(path) != before
