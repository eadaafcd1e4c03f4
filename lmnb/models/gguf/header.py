"""The header of a GGUF file: metadata and tensor table, read without trusting a byte of it.

Source of the format: llama.cpp `ggml/include/gguf.h`; of the rules: `ggml/src/gguf.cpp`. What
llama.cpp would refuse is refused here, before a process is spent on it. Every count and length is
held against the bytes that are left and against a limit, so that a hostile header costs
milliseconds and a megabyte. The file is read, not mapped: a mapped file that shrinks while it is
looked at kills the process.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from lmnb.models.gguf.quants import TENSOR_TYPES
from lmnb.models.gguf.reader import InvalidGGUF, Reader

__all__ = ["Array", "Header", "InvalidGGUF", "Tensor", "Value", "read_header"]

MAX_METADATA = 1 << 16
MAX_TENSORS = 1 << 16
MAX_KEY_BYTES = (1 << 16) - 1
MAX_TENSOR_NAME_BYTES = 63
MAX_DIMENSIONS = 4
MAX_REST = 1 << 26
"""Bytes after the last tensor. Some files have a few; llama.cpp maps them all into memory."""
MAX_KEPT_NUMBERS = 1 << 12
"""Longer arrays of numbers are counted only. Kept ones hold one value a layer."""

_SCALARS = {code: struct.Struct("<" + letter) for code, letter in enumerate("BbHhIif?")} | {
    code: struct.Struct("<" + letter) for code, letter in zip((10, 11, 12), "Qqd", strict=True)
}
_STRING, _ARRAY = 8, 9
VOCABULARY = "tokenizer.ggml.tokens"
FILL_IN_MARKS = (
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",  # noqa: RUF001 - DeepSeek writes it so
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
)
"""The token that begins a question for what is in the middle. Source: llama.cpp
`src/llama-vocab.cpp`, which knows it by these texts where the metadata does not name it."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array of the metadata: always its length; its values where it is short and of numbers."""

    count: int
    values: tuple[int | float | bool, ...] = ()
    marks: frozenset[str] = frozenset()
    """Of a vocabulary: those of FILL_IN_MARKS that it has."""


Value = int | float | bool | str | Array


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` as ggml counts: the row length first. `size` and `offset` in bytes of the data."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    elements: int
    size: int

    @property
    def kind(self) -> str:
        """The name of its type: `Q4_K`."""
        return TENSOR_TYPES[self.type].name


@dataclass(frozen=True, slots=True)
class Header:
    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int

    @property
    def tensor_bytes(self) -> int:
        return sum(tensor.size for tensor in self.tensors)


def read_header(path: Path) -> Header:
    """Raises InvalidGGUF, also for a file that cannot be read or ends before its tensors do."""
    try:
        # A FIFO or a device would block, or never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InvalidGGUF("not a regular file")
        with FileIO(path) as file:
            return _read(Reader(file, os.fstat(file.fileno()).st_size))
    except OSError as error:
        raise InvalidGGUF(f"{path.name} cannot be read: {error.strerror or error}") from error
    except InvalidGGUF as error:
        raise InvalidGGUF(f"{path.name}: {error.message}") from None


def _read(reader: Reader) -> Header:
    version, tensor_count, metadata_count = _read_preamble(reader)
    metadata: dict[str, Value] = {}
    for _ in range(metadata_count):
        key = reader.string(MAX_KEY_BYTES, "a key")
        if not key or key in metadata:
            raise InvalidGGUF(f"key {_shown(key)} is empty or given twice")
        metadata[key] = _read_value(reader, key)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise InvalidGGUF(f"alignment {_shown(alignment)} is not a power of two")
    tensors = _read_tensors(reader, tensor_count, alignment)
    data_offset = _align(reader.position, alignment)
    end = data_offset + (tensors[-1].offset + tensors[-1].size if tensors else 0)
    if tensors and end > reader.size:
        raise InvalidGGUF(
            f"cut short: it has {reader.size} bytes and its tensors end at {end} (an incomplete download?)"
        )
    if reader.size - end > MAX_REST:
        raise InvalidGGUF(f"too long: it has {reader.size} bytes and its tensors end at {end}")
    return Header(version, metadata, tensors, data_offset)


def _read_preamble(reader: Reader) -> tuple[int, int, int]:
    """(version, number of tensors, number of metadata entries)."""
    magic = reader.take(4)
    if magic != b"GGUF":
        raise InvalidGGUF(f"not a GGUF file: it begins with {magic!r}")
    version = reader.u32()
    if version & 0xFFFF == 0:
        raise InvalidGGUF("a big-endian GGUF file: llama.cpp cannot use it on this machine")
    if version not in (2, 3):
        raise InvalidGGUF(f"GGUF version {version} is not supported (2 and 3 are)")
    tensor_count, metadata_count = reader.u64(), reader.u64()
    if tensor_count > min(MAX_TENSORS, reader.left // 24):
        raise InvalidGGUF(f"claims {tensor_count} tensors, more than it can hold")
    if metadata_count > min(MAX_METADATA, reader.left // 13):
        raise InvalidGGUF(f"claims {metadata_count} metadata entries, more than it can hold")
    return version, tensor_count, metadata_count


def _read_value(reader: Reader, key: str) -> Value:
    kind = reader.u32()
    if kind == _STRING:
        return reader.keep_string()
    if kind == _ARRAY:
        kind, count = reader.u32(), reader.u64()
        if kind == _STRING:
            start = reader.position
            reader.skip_strings(count, _shown(key))
            marks = reader.find(start, FILL_IN_MARKS) if key == VOCABULARY else frozenset()
            return Array(count, marks=marks)
        if kind in _SCALARS:
            scalar = _SCALARS[kind]
            if count > reader.left // scalar.size:
                raise InvalidGGUF(
                    f"{_shown(key)} claims {count} values, more than the file can hold"
                )
            if count > MAX_KEPT_NUMBERS:
                reader.skip(count * scalar.size)
                return Array(count)
            raw = reader.keep(count * scalar.size)
            return Array(count, tuple(value for (value,) in scalar.iter_unpack(raw)))
        raise InvalidGGUF(f"{_shown(key)} is an array of unknown type {kind} (arrays do not nest)")
    if kind not in _SCALARS:
        raise InvalidGGUF(f"{_shown(key)} has unknown type {kind}")
    value: int | float | bool = _SCALARS[kind].unpack(reader.take(_SCALARS[kind].size))[0]
    return value


def _shown(value: object) -> str:
    """For a message: a key may have 65,535 bytes, and any character."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) < 100 and text.isprintable() else f"{text[:80]!r}..."


def _read_tensors(reader: Reader, count: int, alignment: int) -> tuple[Tensor, ...]:
    """The tensor table. As in llama.cpp, each tensor begins where the one before it ends."""
    tensors: list[Tensor] = []
    names: set[str] = set()
    expected = 0
    for _ in range(count):
        name = reader.string(MAX_TENSOR_NAME_BYTES, "a tensor name")
        dimensions = reader.u32()
        if dimensions > MAX_DIMENSIONS:
            raise InvalidGGUF(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(reader.u64() for _ in range(dimensions))
        kind, offset = reader.u32(), reader.u64()
        if name in names:
            raise InvalidGGUF(f"tensor {name!r} is given twice")
        names.add(name)
        elements, size = _tensor_size(name, shape, kind)
        if offset != expected:
            raise InvalidGGUF(f"tensor {name!r} is at {offset}, not at {expected}")
        expected = _align(offset + size, alignment)
        tensors.append(Tensor(name, shape, kind, offset, elements, size))
    return tuple(tensors)


def _tensor_size(name: str, shape: tuple[int, ...], kind: int) -> tuple[int, int]:
    """(elements, bytes) of a tensor."""
    if kind not in TENSOR_TYPES:
        raise InvalidGGUF(f"tensor {name!r} has unknown type {kind}")
    block, block_bytes = TENSOR_TYPES[kind].block, TENSOR_TYPES[kind].block_bytes
    elements = 1
    for length in shape:
        elements *= length
        if elements >= 1 << 63:
            raise InvalidGGUF(f"tensor {name!r} is impossibly large")
    if (shape[0] if shape else 1) % block:
        raise InvalidGGUF(f"tensor {name!r} has rows that are no multiple of {block} values")
    return elements, elements // block * block_bytes


def _align(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment
