"""Headers are read once: what they say is kept, also for the next server, until a file changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from lmnb.models.gguf.header import InvalidGGUF, read_header
from lmnb.models.gguf.info import ModelInfo, model_info

__all__ = ["Facts", "Stamp"]

Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, time of change in ns) of each file of a model."""

MOST_KEPT = 5000
_FORMAT = ",".join(ModelInfo.__dataclass_fields__)
"""A file that another version wrote, with other facts, is not read."""


class _File(msgspec.Struct):
    format: str
    facts: list[tuple[Stamp, ModelInfo | str]]
    """Text: why the file cannot be used. In the order in which they were last asked for."""


class Facts:
    """Of models, by their files, the `MOST_KEPT` last asked for. `path`: where they are kept; None: in
    memory only.

    Several servers may use one file: each writes it whole, and what one has not read another reads.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._facts: dict[Stamp, ModelInfo | str] | None = None
        self._changed = False
        self._lock = threading.Lock()

    def of(self, files: Sequence[Path], stamp: Stamp) -> ModelInfo:
        """Raises InvalidGGUF."""
        with self._lock:
            found = self._load().pop(stamp, None)
        if found is None:
            found = _read(files)
            self._changed = True
        with self._lock:
            self._load()[stamp] = found
        if isinstance(found, str):
            raise InvalidGGUF(found)
        return found

    def save(self) -> None:
        """If there is anything new. Where it cannot be written, headers are read again next time."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            rows = list(self._load().items())[-MOST_KEPT:]
            self._facts = dict(rows)
        if self._path is None:
            return
        content = msgspec.msgpack.encode(_File(_FORMAT, rows))
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_bytes(content)
            os.replace(partial, self._path)
        except OSError:
            with suppress(OSError):
                partial.unlink()

    def _load(self) -> dict[Stamp, ModelInfo | str]:
        if self._facts is None:
            self._facts = _stored(self._path) if self._path else {}
        return self._facts


def _stored(path: Path) -> dict[Stamp, ModelInfo | str]:
    try:
        file = msgspec.msgpack.decode(path.read_bytes(), type=_File)
    except (OSError, ValueError):
        return {}
    return dict(file.facts) if file.format == _FORMAT else {}


def _read(files: Sequence[Path]) -> ModelInfo | str:
    try:
        return model_info([read_header(file) for file in files])
    except InvalidGGUF as error:
        return error.message
