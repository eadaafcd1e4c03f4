"""One repository's folder in the Hugging Face cache, laid out as huggingface_hub does it.

    models--owner--name/blobs/<etag>                    the content, once
    models--owner--name/snapshots/<commit>/<path>       a relative link to it
    models--owner--name/refs/<branch or tag>            the commit
    .locks/models--owner--name/<etag>.lock              held by whoever writes that blob

What is ours alone is `blobs/<etag>.part`: a blob that is not complete, kept to go on from. What the
Hub calls files, commits and branches comes from outside: nothing leads out of the folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from lmnb.errors import HubError, InvalidRequest, LmnbError
from lmnb.models.hub.repository import HubFile

__all__ = ["CachedRepo"]

_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+")
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class CachedRepo:
    """Raises InvalidRequest for an id that is none, HubError for paths and hashes that are none."""

    def __init__(self, cache: Path, id: str) -> None:
        if not _ID.fullmatch(id) or ".." in id or "--" in id:
            raise InvalidRequest(f"{id[:200]!r} is no name of a repository.", param="model")
        name = "--".join(("models", *id.split("/")))
        self.id = id
        self.cache = cache
        self.folder = cache / name
        self._locks = cache / ".locks" / name

    def blob(self, file: HubFile) -> Path:
        return self.folder / "blobs" / etag_of(file)

    def part(self, file: HubFile) -> Path:
        return self.folder / "blobs" / f"{etag_of(file)}.part"

    def snapshot(self, commit: str, path: str) -> Path:
        """Where users of the cache find the file."""
        if not _COMMIT.fullmatch(commit):
            raise HubError(f"The Hub names a commit of {self.id} {commit[:100]!r}.")
        return self.folder / "snapshots" / commit / safe_path(path)

    def has_blob(self, file: HubFile) -> bool:
        """Whole, as far as its size tells."""
        return _size(self.blob(file)) == file.size

    def has(self, commit: str, file: HubFile) -> bool:
        """Is it where users of the cache find it?"""
        return _size(self.snapshot(commit, file.path)) == file.size

    def present_bytes(self, commit: str, file: HubFile) -> int:
        """How much of it is here."""
        if self.has_blob(file) or self.has(commit, file):
            return file.size
        return min(_size(self.part(file)) or 0, file.size)

    # -- writing

    @contextmanager
    def lock(self, file: HubFile, timeout: float) -> Iterator[bool]:
        """huggingface_hub's own lock of a blob. False: somebody else had it for all that time."""
        from filelock import Timeout
        from huggingface_hub.utils import WeakFileLock

        self._locks.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                path = self._locks / f"{etag_of(file)}.lock"
                stack.enter_context(WeakFileLock(path, timeout=timeout))
            except Timeout:
                yield False
            else:
                yield True

    def prepare(self) -> None:
        """The folders that huggingface_hub misses in a repository without them."""
        for name in ("blobs", "snapshots"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def keep(self, file: HubFile) -> None:
        """The part is complete and on the disk: it becomes the blob."""
        os.replace(self.part(file), self.blob(file))

    def link(self, commit: str, file: HubFile) -> Path:
        """Put a whole blob where users of the cache find it. Raises LmnbError if there is none."""
        blob, pointer = self.blob(file), self.snapshot(commit, file.path)
        if self.has(commit, file):
            return pointer
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.unlink(missing_ok=True)
        try:
            os.symlink(os.path.relpath(blob, pointer.parent), pointer)
        except FileExistsError:
            pass  # another process did the same at the same time
        except OSError:
            os.replace(blob, pointer)  # no links here (Windows): huggingface_hub moves it too
        if not self.has(commit, file):
            pointer.unlink(missing_ok=True)
            raise LmnbError(f"{file.path} was deleted in {self.folder} meanwhile. Fetch it again.")
        return pointer

    def point(self, ref: str, commit: str) -> None:
        """Let the branch or tag mean this commit."""
        if ref == commit:
            return
        path = self.folder / "refs" / safe_path(ref)
        if path.is_file() and path.read_text() == commit:
            return  # the cache may be one that cannot be written
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        partial.write_text(commit)
        os.replace(partial, path)

    def discard(self, file: HubFile) -> None:
        """Forget a part, and a blob to which nothing leads. What somebody else writes stays."""
        with self.lock(file, timeout=0.05) as mine:
            if mine:
                self.part(file).unlink(missing_ok=True)
                if not self._is_linked(self.blob(file)):
                    self.blob(file).unlink(missing_ok=True)

    def _is_linked(self, blob: Path) -> bool:
        for folder, _, names in os.walk(self.folder / "snapshots"):
            for name in names:
                path = Path(folder, name)
                if path.is_symlink() and os.path.realpath(path) == os.path.realpath(blob):
                    return True
        return False


def etag_of(file: HubFile) -> str:
    """What the cache calls the file's content. Raises HubError."""
    if file.etag is None or not _ETAG.fullmatch(file.etag):
        raise HubError(f"The Hub names no hash for {file.path!r}, so it cannot be verified.")
    return file.etag


def safe_path(path: str) -> Path:
    """A path of the Hub's as one of this system's, which stays below where it is put.

    Raises HubError.
    """
    parts = PurePosixPath(path).parts
    odd = "\0" in path or "\\" in path or (os.name == "nt" and re.search(r'[<>:"|?*]', path))
    if odd or not parts or path.startswith("/") or any(part in ("..", ".") for part in parts):
        raise HubError(f"The Hub names a file {path[:200]!r}, which is no name that can be used.")
    return Path(*parts)


def _size(path: Path) -> int | None:
    """None: no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
