"""Deleting a model's files: only what is the user's, and no more than the model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lmnb.errors import PermissionDenied
from lmnb.models.names import hub_repository
from lmnb.models.store.reading import read_small
from lmnb.models.store.record import ModelRecord

__all__ = ["Removal", "check_removable", "remove_files"]


@dataclass(frozen=True, slots=True)
class Removal:
    """`freed_bytes`: what the disk has more; 0 where only a link went."""

    id: str
    files: tuple[Path, ...]
    freed_bytes: int


def remove_files(record: ModelRecord, records: Iterable[ModelRecord]) -> Removal:
    """Delete `record`'s files, and its projector if none of the other `records` uses it.

    Imported links go, what they lead to stays. In the Hugging Face cache, content that another
    revision has too stays. Raises PermissionDenied; then everything is there still, unless the
    system failed half-way.
    """
    check_removable(record)
    files = list(record.files)
    shared = any(one.projector == record.projector for one in records if one.path != record.path)
    if record.projector is not None and not shared:
        files.append(record.projector)
    for file in files:
        if not os.access(file.parent, os.W_OK):
            raise PermissionDenied(f"{file.parent} cannot be written to.", param="model")
    try:
        freed = sum(_remove(file, record.root.path) for file in files)
    except OSError as error:
        raise PermissionDenied(
            f"{error.filename}: {error.strerror or error}", param="model"
        ) from error
    return Removal(record.id, tuple(files), freed)


def check_removable(record: ModelRecord) -> None:
    """Raises PermissionDenied for what others provide."""
    if (whose := record.root.whose) is not None:
        raise PermissionDenied(
            f"'{record.id}' is {whose}, in {record.root.path}: lmnb reads it there and deletes "
            "nothing.",
            param="model",
            code="read_only_model",
        )


def _remove(file: Path, root: Path) -> int:
    """Bytes that the disk has more."""
    snapshot = _snapshot(file)
    if snapshot is not None:
        return _remove_from_cache(file, snapshot)
    freed = _own_bytes(file)
    file.unlink()
    _prune(file.parent, root)
    return freed


def _own_bytes(file: Path) -> int:
    """What goes with the last name of a file."""
    status = file.lstat()
    return status.st_size if not file.is_symlink() and status.st_nlink == 1 else 0


# -- the Hugging Face cache


def _snapshot(file: Path) -> Path | None:
    """The snapshot that the file is in: `models--owner--name/snapshots/<commit>`."""
    for folder in file.parents:
        if folder.parent.name == "snapshots" and hub_repository(folder.parent.parent.name):
            return folder
    return None


def _remove_from_cache(file: Path, snapshot: Path) -> int:
    repository = snapshot.parent.parent
    blob = Path(os.path.realpath(file)) if file.is_symlink() else None
    freed = _own_bytes(file)
    file.unlink()
    is_ours = blob is not None and blob.parent == Path(os.path.realpath(repository / "blobs"))
    if blob is not None and is_ours and blob.exists() and not _is_used(blob, snapshot.parent):
        freed += _own_bytes(blob)
        blob.unlink()
    _prune(file.parent, snapshot.parent)
    if not snapshot.exists():
        _forget(repository, snapshot.name)
    return freed


def _is_used(blob: Path, snapshots: Path) -> bool:
    """Whether any revision has it."""
    return any(os.path.realpath(link) == str(blob) for link in _links(snapshots))


def _links(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if Path(parent, name).is_symlink())


def _forget(repository: Path, commit: str) -> None:
    """No file of this commit is left: the branches that mean it mean nothing, and a repository of
    which nothing is left goes. What is half fetched stays."""
    for parent, _, names in os.walk(repository / "refs"):
        for name in names:
            ref = Path(parent, name)
            with suppress(OSError, ValueError):
                if read_small(ref).decode().strip() == commit:
                    ref.unlink()
                    _prune(ref.parent, repository / "refs")
    left = [*(repository / "snapshots").glob("*"), *(repository / "blobs").glob("*")]
    if not left:
        shutil.rmtree(repository, ignore_errors=True)
        shutil.rmtree(repository.parent / ".locks" / repository.name, ignore_errors=True)


def _prune(folder: Path, root: Path) -> None:
    """Remove folders that became empty, up to `root`."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
