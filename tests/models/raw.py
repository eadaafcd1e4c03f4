"""GGUF files byte by byte: also those that no writer would write."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(value: str | bytes, length: int | None = None) -> bytes:
    """A string; with `length`, one that lies about it."""
    raw = value.encode() if isinstance(value, str) else value
    return u64(len(raw) if length is None else length) + raw


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + u32(kind) + value


def array(key: str, kind: int, count: int, values: bytes) -> bytes:
    return entry(key, ARRAY, u32(kind) + u64(count) + values)


def string(key: str, value: str) -> bytes:
    return entry(key, STRING, text(value))


def number(key: str, value: int) -> bytes:
    return entry(key, U32, u32(value))


def tensor(name: str, shape: Sequence[int], kind: int = 0, offset: int = 0) -> bytes:
    dimensions = u32(len(shape)) + b"".join(map(u64, shape))
    return text(name) + dimensions + u32(kind) + u64(offset)


def gguf(
    metadata: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    *,
    data: int = 0,
    version: int = 3,
    alignment: int = 32,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A whole file: header, padding and `data` zero bytes. `counts`: (tensors, metadata) claimed."""
    claimed = counts or (len(tensors), len(metadata))
    head = b"GGUF" + u32(version) + u64(claimed[0]) + u64(claimed[1])
    body = head + b"".join(metadata) + b"".join(tensors)
    return body + bytes(-len(body) % alignment) + bytes(data)


def model(
    *, name: str = "llama", metadata: Sequence[bytes] = (), values: int = 64, kind: int = 0
) -> bytes:
    """The smallest thing that counts as a language model: one tensor of `values` 32-bit floats."""
    facts = [string("general.architecture", name), *metadata]
    return gguf(facts, [tensor("token_embd.weight", (values,), kind)], data=values * 4)


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
