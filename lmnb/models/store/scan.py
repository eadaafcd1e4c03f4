"""Which files below a root are models. Looks at names only; never leaves a loop of links unbroken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lmnb.models.names import Shard, files_of, hub_repository, shard_of
from lmnb.models.store.foreign_scan import hub_path, scan_ollama
from lmnb.models.store.found import Found, Problem, Scan
from lmnb.models.store.reading import read_small
from lmnb.models.store.roots import Root

__all__ = ["scan", "scan_root"]

MAX_DEPTH = 8
MAX_ENTRIES = 200_000


def scan_root(root: Root) -> Scan:
    """The models of a root, in the way of whoever filled it."""
    if root.kind == "ollama":
        return scan_ollama(root.path)
    found = scan(root.path)
    if root.kind == "llama.cpp":
        found.models = [replace(one, relative=hub_path(one.relative.name)) for one in found.models]
    return found


def scan(root: Path) -> Scan:
    """The models of a GGUF file, or of a folder of them. A root that is not there is empty."""
    result = Scan()
    if root.is_file():
        result.models.append(Found(files_of(root), PurePosixPath(root.name)))
        return result
    paths = list(_Walk(result.problems).files(root))
    here = set(paths)
    for path in paths:
        shard = shard_of(path.stem)
        if shard and shard.number > 1 and path.with_name(_first(shard) + path.suffix) in here:
            continue
        files = files_of(path)
        missing = [file.name for file in files if file not in here]
        if shard and (missing or shard.number > 1):
            reason = "missing: " + ", ".join(missing or [_first(shard) + path.suffix])
            result.problems.append(Problem(path, reason))
        else:
            relative = PurePosixPath(path.relative_to(root).as_posix())
            result.models.append(Found(files, relative))
    return result


def _first(shard: Shard) -> str:
    return f"{shard.stem}-00001-of-{shard.count:05}"


class _Walk:
    """Yields `.gguf` files in a stable order. Links are followed, each folder once."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._entries = 0
        self._seen: set[tuple[int, int]] = set()

    def files(self, folder: Path, depth: int = 0) -> Iterator[Path]:
        if hub_repository(folder.name):
            named: set[Path] = set()
            for snapshot in _snapshots(folder):
                for file in self._listing(snapshot, depth):
                    if (name := file.relative_to(snapshot)) not in named:
                        named.add(name)
                        yield file
            return
        yield from self._listing(folder, depth)

    def _listing(self, folder: Path, depth: int) -> Iterator[Path]:
        try:
            identity = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if depth or folder.exists():
                self._problems.append(Problem(folder, error.strerror or str(error)))
            return
        if (identity.st_dev, identity.st_ino) in self._seen:
            return
        self._seen.add((identity.st_dev, identity.st_ino))
        self._entries += len(entries)
        if self._entries > MAX_ENTRIES or depth > MAX_DEPTH:
            self._problems.append(Problem(folder, "not read: too many files or folders"))
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(".gguf") and not _is_folder(entry):
                yield folder / entry.name
            elif _is_folder(entry):
                yield from self.files(folder / entry.name, depth + 1)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _snapshots(repository: Path) -> list[Path]:
    """The snapshots of a Hugging Face cache folder: what its `main` names, then the newest. A file
    that is in several is the first one's."""
    try:
        found = [(path.stat().st_mtime, path) for path in (repository / "snapshots").iterdir()]
    except OSError:
        return []
    newest = [path for _, path in sorted(found, reverse=True)]
    try:
        main = read_small(repository / "refs" / "main").decode().strip()
    except (OSError, ValueError):
        return newest
    return sorted(newest, key=lambda path: path.name != main)
