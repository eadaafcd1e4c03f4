"""What is deleted is the model, and only where it is the user's to delete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmnb.errors import ModelNotFound, PermissionDenied
from lmnb.models.store.roots import Root
from lmnb.models.store.store import ModelStore
from tests.models import raw


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    folder.mkdir()
    return folder


def store(*roots: Root | Path, own: Path) -> ModelStore:
    return ModelStore(roots, import_dir=own)


def cached(repository: Path, commit: str, name: str, content: bytes, branch: str = "main") -> Path:
    """A file as huggingface_hub keeps it: blob, link, reference."""
    blob = raw.put(repository / "blobs" / f"{abs(hash(content)):064x}", content)
    link = repository / "snapshots" / commit / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    raw.put(repository / "refs" / branch, commit.encode())
    return link


def files(folder: Path) -> list[str]:
    """What is left, links too."""
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_a_file_goes_with_its_empty_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    path = raw.put(root / "a/b-GGUF/b-Q4_0.gguf", raw.model())
    size = path.stat().st_size
    removal = store(root, own=tmp_path / "own").remove("a/b")
    assert (removal.id, removal.files, removal.freed_bytes) == ("a/b", (path,), size)
    assert list(root.iterdir()) == []


def test_all_shards_go_and_the_projector_with_the_last_model_that_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "root/a/b-GGUF"
    for number in (1, 2):
        raw.put(folder / f"b-Q8_0-0000{number}-of-00002.gguf", raw.model(values=number * 64))
    raw.put(folder / "b-Q4_0.gguf", raw.model(values=256))
    raw.put(folder / "mmproj-F16.gguf", raw.model(name="clip"))
    models = store(tmp_path / "root", own=tmp_path / "own")
    models.remove("b@q8_0")
    assert files(folder) == ["b-Q4_0.gguf", "mmproj-F16.gguf"]
    models.remove("b")
    assert not folder.exists()


def test_of_an_imported_link_only_the_link_goes(tmp_path: Path) -> None:
    source = raw.put(tmp_path / "source/m.gguf", raw.model())
    models = store(own=tmp_path / "own")
    models.import_file(source)
    assert models.remove("m").freed_bytes == 0
    assert source.exists()
    assert models.list() == []


def test_a_second_name_of_a_file_frees_nothing(tmp_path: Path) -> None:
    source = raw.put(tmp_path / "source/m.gguf", raw.model())
    models = store(own=tmp_path / "own")
    models.import_file(source, mode="hardlink")
    assert models.remove("m").freed_bytes == 0
    assert source.exists()


@pytest.mark.parametrize("kind", ["shared", "package"])
def test_what_others_provide_stays(tmp_path: Path, kind: str) -> None:
    path = raw.put(tmp_path / "root/m.gguf", raw.model())
    with pytest.raises(PermissionDenied, match="deletes nothing"):
        store(Root(tmp_path / "root", kind), own=tmp_path / "own").remove("m")  # type: ignore[arg-type]
    assert path.exists()


def test_an_unknown_name_deletes_nothing(tmp_path: Path) -> None:
    raw.put(tmp_path / "root/m.gguf", raw.model())
    with pytest.raises(ModelNotFound):
        store(tmp_path / "root", own=tmp_path / "own").remove("../root/m.gguf")


def test_the_last_model_of_a_cached_repository_takes_all_of_it(cache: Path, tmp_path: Path) -> None:
    repository = cache / "models--a--b-GGUF"
    content = raw.model()
    cached(repository, "c1", "b-Q4_0.gguf", content)
    raw.put(cache / ".locks" / repository.name / "x.lock", b"")
    removal = store(Root(cache, "hub"), own=tmp_path / "own").remove("a/b")
    assert removal.freed_bytes == len(content)
    assert files(cache) == []


def test_other_files_of_a_cached_repository_stay(cache: Path, tmp_path: Path) -> None:
    repository = cache / "models--a--b-GGUF"
    cached(repository, "c1", "b-Q4_0.gguf", raw.model())
    other = cached(repository, "c1", "b-Q8_0.gguf", raw.model(values=128))
    models = store(Root(cache, "hub"), own=tmp_path / "own")
    models.remove("b@q4_0")
    assert [record.path for record in models.list()] == [other]
    assert (repository / "refs/main").read_text() == "c1"
    assert len(files(repository / "blobs")) == 1


def test_content_that_another_revision_has_stays(cache: Path, tmp_path: Path) -> None:
    repository = cache / "models--a--b-GGUF"
    cached(repository, "c1", "b-Q4_0.gguf", raw.model(), branch="v1")
    cached(repository, "c2", "b-Q4_0.gguf", raw.model())
    models = store(Root(cache, "hub"), own=tmp_path / "own")
    assert models.remove("a/b").freed_bytes == 0
    assert not (repository / "refs/main").exists()
    assert (repository / "refs/v1").exists()
    assert models.find("a/b").path.exists()
    assert models.remove("a/b").freed_bytes == len(raw.model())
    assert models.list() == []


def test_what_is_half_fetched_stays(cache: Path, tmp_path: Path) -> None:
    repository = cache / "models--a--b-GGUF"
    cached(repository, "c1", "b-Q4_0.gguf", raw.model())
    part = raw.put(repository / "blobs" / "1234.part", b"half")
    store(Root(cache, "hub"), own=tmp_path / "own").remove("a/b")
    assert part.exists()


def test_a_link_out_of_the_cache_takes_nothing_with_it(cache: Path, tmp_path: Path) -> None:
    elsewhere = raw.put(tmp_path / "precious.gguf", raw.model())
    link = cache / "models--a--b-GGUF/snapshots/c1/b-Q4_0.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    assert store(Root(cache, "hub"), own=tmp_path / "own").remove("a/b").freed_bytes == 0
    assert elsewhere.exists()
