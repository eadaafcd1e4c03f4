"""A file that is on its way: what has arrived of it, and the hash of that."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lmnb.errors import DiskFull, LmnbError
from lmnb.models.hub.repository import HubFile
from lmnb.models.sizes import shown

__all__ = ["Part", "check_space", "free_bytes"]

PIECE = 1 << 20
MARGIN = 64 << 20
"""Bytes that a download leaves free: a disk that is quite full stops everything else, too."""
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Part:
    """Opened at `path`, and made if it is not there. Bytes are added at its end only, so that what is
    there is the file's beginning whenever the process ends."""

    def __init__(self, path: Path, file: HubFile) -> None:
        self.path = path
        self.wanted = file
        self.position = 0
        """How many bytes of the beginning are here, and in the hash."""
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b", 0)
        self._hash = self._new_hash()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def recall(self, go_on: Callable[[], None]) -> None:
        """Hash what an earlier process left. `go_on` is called now and then, and may raise."""
        while data := self._file.read(PIECE):
            go_on()
            self._hash.update(data)
            self.position += len(data)
        if self.position > self.wanted.size:
            self.restart()

    def add(self, data: bytes) -> None:
        """What came next. More than belongs to the file is left out. Raises DiskFull, LmnbError."""
        left = memoryview(data)[: self.wanted.size - self.position]
        while left:
            try:
                count = self._file.write(left) or 0
            except OSError as error:
                raise _cannot_write(error, self.path, self.wanted.size - self.position) from error
            self._hash.update(left[:count])
            self.position += count
            left = left[count:]

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.position = self._new_hash(), 0

    def is_right(self) -> bool:
        """Is it, to the last bit, the file that the Hub means?"""
        return self._hash.hexdigest() == self.wanted.etag

    def settle(self) -> None:
        """On the disk, whatever happens next."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _cannot_write(error, self.path, 0) from error

    def _new_hash(self) -> hashlib._Hash:
        """The Hub names large files by SHA-256, and those in git as git does."""
        if self.wanted.lfs:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.wanted.size, usedforsecurity=False)


_BINARY = getattr(os, "O_BINARY", 0)  # Windows


def free_bytes(folder: Path) -> int:
    """Of the disk on which the folder is, or would be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_space(folder: Path, needed: int, *, free: Callable[[Path], int] = free_bytes) -> None:
    """Raises DiskFull where `needed` bytes more would not fit."""
    here = free(folder)
    if needed and needed + MARGIN > here:
        raise DiskFull(
            f"{shown(needed)} more are needed in {folder}, where {shown(here)} are free "
            f"({shown(MARGIN)} of them are left free). Remove models, or set HF_HUB_CACHE to a "
            "folder on another disk."
        )


def _cannot_write(error: OSError, path: Path, missing: int) -> LmnbError:
    if error.errno in NO_ROOM:
        return DiskFull(
            f"The disk became full: {shown(missing)} more are needed in {path.parent}, where "
            f"{shown(free_bytes(path.parent))} are free. What has arrived is kept."
        )
    return LmnbError(f"Could not write {path}: {error.strerror or error}", code="cannot_write")
