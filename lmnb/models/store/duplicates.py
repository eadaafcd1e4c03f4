"""The same content on the disk twice."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lmnb.models.store.record import ModelRecord

__all__ = ["Copy", "Duplicate", "Hashes", "find_duplicates"]

_BLOB = re.compile(r"(?:sha256-)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Copy:
    model: str
    path: Path


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One content and the files that have it, the first in the order of the roots first."""

    sha256: str
    size_bytes: int
    copies: tuple[Copy, ...]

    @property
    def wasted_bytes(self) -> int:
        """What one copy would save."""
        return self.size_bytes * (len(self.copies) - 1)


class Hashes:
    """SHA-256 of files, kept while they do not change. The Hub's cache and Ollama call files by it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Raises OSError."""
        if match := _BLOB.fullmatch(Path(os.path.realpath(path)).name):
            return match[1]
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._known:
            with path.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[key]


def find_duplicates(records: Iterable[ModelRecord], hashes: Hashes) -> list[Duplicate]:
    """Files of models with the same content, the largest first. Links to one file are one file. Only
    files of the same size are read. A file that cannot be read has no duplicates."""
    sized: dict[int, dict[tuple[int, int], Copy]] = {}
    for record in records:
        for path in (*record.files, *([record.projector] if record.projector else [])):
            try:
                status = path.stat()
            except OSError:
                continue
            identity = (status.st_dev, status.st_ino)
            sized.setdefault(status.st_size, {}).setdefault(identity, Copy(record.id, path))
    found: dict[tuple[str, int], list[Copy]] = {}
    for size, copies in sized.items():
        for copy in copies.values() if len(copies) > 1 else ():
            try:
                found.setdefault((hashes.of(copy.path), size), []).append(copy)
            except OSError:
                continue
    same = [
        Duplicate(sha256, size, tuple(copies))
        for (sha256, size), copies in found.items()
        if len(copies) > 1
    ]
    return sorted(same, key=lambda one: -one.wasted_bytes)
