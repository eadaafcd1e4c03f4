"""A file of unknown honesty, read forward through a small window."""

from __future__ import annotations

import struct
from collections.abc import Collection
from io import FileIO

from lmnb.errors import InvalidRequest

__all__ = ["InvalidGGUF", "Reader"]

MAX_ARRAY_STRINGS = 1 << 21
"""In all arrays together; the largest vocabularies with their merges have under a million."""
MAX_KEPT_STRING = 1 << 20
"""Longer strings are skipped. The longest chat templates have some 30,000 characters."""
MAX_KEPT_BYTES = 1 << 23
MAX_READ = 1 << 26
"""Bytes. The largest vocabularies take some 20 MB."""
WINDOW = 1 << 20

_U64 = struct.Struct("<Q")


class InvalidGGUF(InvalidRequest):
    """The file is not a GGUF file that can be used. The message says where it goes wrong."""

    code = "invalid_gguf"


class Reader:
    """Nothing beyond the end is ever asked for, and never more than a window is held.

    Running out of bytes, or of patience, raises InvalidGGUF.
    """

    def __init__(self, file: FileIO, size: int) -> None:
        self._file = file
        self.size = size
        self._window = b""
        self._start = 0
        self._at = 0
        self._read = 0
        self._kept = 0
        self._strings = 0

    @property
    def position(self) -> int:
        return self._start + self._at

    @property
    def left(self) -> int:
        return self.size - self.position

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._window):
            self._refill(count)
        self._at += count
        return self._window[self._at - count : self._at]

    def keep(self, count: int) -> bytes:
        """`take` for what stays in memory: there is an end to that."""
        self._kept += count
        if self._kept > MAX_KEPT_BYTES:
            raise InvalidGGUF("has more in its header than any model needs")
        return self.take(count)

    def _refill(self, count: int) -> None:
        position = self.position
        if count > self.size - position:
            raise InvalidGGUF(f"ends within its header, at byte {self.size}")
        self._file.seek(position)
        window = self._file.read(max(count, WINDOW))
        if window is None or len(window) < count:
            raise InvalidGGUF("became shorter while it was read")
        self._window, self._start, self._at = window, position, 0
        self._read += len(window)
        if self._read > MAX_READ:
            raise InvalidGGUF("has a larger header than any model needs")

    def skip(self, count: int) -> None:
        if count > self.left:
            raise InvalidGGUF(f"ends within its header, at byte {self.size}")
        if count > MAX_READ:
            raise InvalidGGUF("has a larger header than any model needs")
        self._at += count

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def string(self, limit: int, what: str) -> str:
        length = self.u64()
        if length > limit:
            raise InvalidGGUF(f"{what} of {length} bytes (at byte {self.position})")
        return self._text(length)

    def keep_string(self) -> str:
        """The next string, or "" where it is longer than any that is of use."""
        length = self.u64()
        if length > MAX_KEPT_STRING:
            self.skip(length)
            return ""
        return self._text(length)

    def _text(self, length: int) -> str:
        return self.keep(length).decode("utf-8", "replace")

    def find(self, start: int, wanted: Collection[str]) -> frozenset[str]:
        """Which of the `wanted` strings are among those between `start` and here."""
        needles = {text: _U64.pack(len(text.encode())) + text.encode() for text in wanted}
        longest = max(map(len, needles.values()), default=0)
        end, found, rest = self.position, set[str](), b""
        self._window, self._start, self._at = b"", start, 0
        while self.position < end:
            chunk = rest + self.take(min(WINDOW, end - self.position))
            found |= {text for text, needle in needles.items() if needle in chunk}
            rest = chunk[-longest:]
        return frozenset(found)

    def skip_strings(self, count: int, key: str) -> None:
        """Walk over `count` strings. The loop that a vocabulary of 262,144 tokens goes through."""
        self._strings += count
        if count > self.left // 8 or self._strings > MAX_ARRAY_STRINGS:
            raise InvalidGGUF(f"{key} claims {count} strings, more than can be")
        while count:
            if self._at + 8 > len(self._window):
                self._refill(8)
            window, at, unpack = self._window, self._at, _U64.unpack_from
            last = len(window) - 8
            while count and at <= last:
                at += 8 + unpack(window, at)[0]
                count -= 1
            if self._start + at > self.size:
                raise InvalidGGUF(f"{key} holds a string that goes beyond the end of the file")
            self._at = at
