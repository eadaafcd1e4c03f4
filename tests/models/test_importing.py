"""Importing puts a file where the store looks, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmnb.errors import InvalidRequest
from lmnb.models.store.importing import Mode
from lmnb.models.store.store import ModelStore
from tests.models import raw


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return raw.put(tmp_path / "downloads" / "Tiny-Q4_0.gguf", raw.model())


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore([], import_dir=tmp_path / "imported")


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink", "move"])
def test_an_imported_file_is_listed(mode: Mode, source: Path, models: ModelStore) -> None:
    record = models.import_file(source, mode=mode)
    assert models.find("tiny") == record
    assert record.path == models.import_dir / source.name
    assert source.exists() == (mode != "move")
    assert record.path.is_symlink() == (mode == "symlink")
    if mode == "hardlink":
        assert record.path.stat().st_nlink == 2


def test_a_publisher_and_a_model_may_be_named(source: Path, models: ModelStore) -> None:
    record = models.import_file(source, name="Me/Mine")
    assert record.id == "me/tiny"
    assert record.path == models.import_dir / "Me" / "Mine" / source.name


@pytest.mark.parametrize(
    "name", ["..", "../up", "a/../b", "/etc", "a/b/c", "", "a\\b", ".hidden", "a\n"]
)
def test_a_name_cannot_lead_elsewhere(name: str, source: Path, models: ModelStore) -> None:
    with pytest.raises(InvalidRequest, match="publisher/model"):
        models.import_file(source, name=name)
    assert not models.import_dir.exists()


def test_importing_again_changes_nothing(source: Path, models: ModelStore) -> None:
    assert models.import_file(source) == models.import_file(source)


def test_another_file_is_never_overwritten(source: Path, models: ModelStore) -> None:
    existing = raw.put(models.import_dir / source.name, raw.model(values=128))
    before = existing.read_bytes()
    with pytest.raises(InvalidRequest, match="there already"):
        models.import_file(source, mode="copy")
    assert existing.read_bytes() == before


def test_all_files_of_a_model_are_imported(tmp_path: Path, models: ModelStore) -> None:
    for number in (1, 2):
        raw.put(tmp_path / f"big-0000{number}-of-00002.gguf", raw.model())
    record = models.import_file(tmp_path / "big-00001-of-00002.gguf", mode="copy")
    assert len(record.files) == 2
    assert {file.parent for file in record.files} == {models.import_dir}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("page.gguf", b"<html>", "not a GGUF"),
        ("model.bin", raw.model(), "not a .gguf file"),
        ("clip.gguf", raw.model(name="clip"), "projector"),
        ("part-00002-of-00002.gguf", raw.model(), "first"),
        ("part-00001-of-00002.gguf", raw.model(), "No such file"),
    ],
)
def test_what_cannot_be_run_is_not_imported(
    name: str, content: bytes, reason: str, tmp_path: Path, models: ModelStore
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        models.import_file(raw.put(tmp_path / name, content))
    assert not models.import_dir.exists()


def test_a_missing_file_says_so(tmp_path: Path, models: ModelStore) -> None:
    with pytest.raises(InvalidRequest, match="is not a file") as caught:
        models.import_file(tmp_path / "none.gguf")
    assert caught.value.code == "file_not_found"


def test_a_link_is_not_moved(source: Path, tmp_path: Path, models: ModelStore) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(source)
    with pytest.raises(InvalidRequest, match="is a link"):
        models.import_file(link, mode="move")
    assert models.import_file(link, mode="copy").id == "link"


def test_where_windows_makes_no_links_it_says_what_to_do(
    source: Path, models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = OSError(22, "A required privilege is not held by the client")
    monkeypatch.setattr(refusal, "winerror", 1314, raising=False)

    def symlink_to(path: Path, target: Path) -> None:
        raise refusal

    monkeypatch.setattr(Path, "symlink_to", symlink_to)
    with pytest.raises(InvalidRequest, match="make links: copy it"):
        models.import_file(source)
