"""What crosses the pipe between the server and an engine process.

Frames are a 4-byte big-endian length and MessagePack. The first frame of a worker is `Hello`;
another version means that the two ends are of different installations. There is no command to end:
closing the pipe is the command, so that a dead parent gives it too.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from lmnb.engine.events import EngineStatus, ModelFacts, SequenceEvent
from lmnb.engine.options import EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.engine.partition import Stretch

T = TypeVar("T")
VERSION = 2
LENGTH = struct.Struct(">I")
MAX_FRAME = 1 << 30
BEAT_SECONDS = 1.0
"""How often a worker says that it lives."""


class Load(msgspec.Struct, frozen=True, tag=True):
    path: str
    options: LoadOptions


class Submit(msgspec.Struct, frozen=True, tag=True):
    id: int
    request: EngineRequest


class Embed(msgspec.Struct, frozen=True, tag=True):
    id: int
    request: EmbedRequest


class Rerank(msgspec.Struct, frozen=True, tag=True):
    id: int
    request: RerankRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    id: int


class Tokenize(msgspec.Struct, frozen=True, tag=True):
    call: int
    text: str
    add_special: bool
    parse_special: bool
    plain: tuple[Stretch, ...] = ()
    """Where control-token text is text, whatever `parse_special` says. Nothing is added then."""


class Detokenize(msgspec.Struct, frozen=True, tag=True):
    call: int
    tokens: tuple[int, ...]


class Count(msgspec.Struct, frozen=True, tag=True):
    """The tokens of a prompt that has pictures in it."""

    call: int
    request: EngineRequest


class GetStatus(msgspec.Struct, frozen=True, tag=True):
    call: int


Command = Load | Submit | Embed | Rerank | Cancel | Tokenize | Detokenize | Count | GetStatus


class Hello(msgspec.Struct, frozen=True, tag=True):
    version: int


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Said at every beat, whatever else is computed."""


class Loading(msgspec.Struct, frozen=True, tag=True):
    progress: float


class Loaded(msgspec.Struct, frozen=True, tag=True):
    facts: ModelFacts


class LoadError(msgspec.Struct, frozen=True, tag=True):
    message: str


class Events(msgspec.Struct, frozen=True, tag=True):
    """All that one step had to say, for all sequences."""

    events: list[SequenceEvent]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """The result of call number `call`; exactly one of the others is set."""

    call: int
    tokens: list[int] | None = None
    pieces: list[bytes] | None = None
    count: int | None = None
    status: EngineStatus | None = None
    error: str | None = None
    kind: str = "EngineError"
    """What `error` is: a class of lmnb.errors."""


Message = Hello | Alive | Loading | Loaded | LoadError | Events | Answer

_encoder = msgspec.msgpack.Encoder()
decode_command = msgspec.msgpack.Decoder(Command).decode
decode_message = msgspec.msgpack.Decoder(Message).decode


def frame(value: Command | Message) -> bytearray:
    """Written once: a book may be among what it says."""
    data = bytearray(LENGTH.size)
    _encoder.encode_into(value, data, LENGTH.size)
    LENGTH.pack_into(data, 0, len(data) - LENGTH.size)
    return data


def write(descriptor: int, value: Command | Message) -> None:
    """All of it, which may wait for the reader. Raises OSError when there is none."""
    data = memoryview(frame(value))
    while data:
        data = data[os.write(descriptor, data) :]


class FrameReader(Generic[T]):
    """Cuts a stream of bytes into what was framed, however it arrives."""

    def __init__(self, decode: Callable[[memoryview], T]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Raises ValueError on a length no honest peer sends, DecodeError on what is no message."""
        self._buffer += data
        found, at = list[T](), 0
        with memoryview(self._buffer) as view:
            while len(view) - at >= LENGTH.size:
                (size,) = LENGTH.unpack_from(view, at)
                if size > MAX_FRAME:
                    raise ValueError(f"a frame of {size} bytes")
                start, end = at + LENGTH.size, at + LENGTH.size + size
                if len(view) < end:
                    break
                found.append(self._decode(view[start:end]))
                at = end
        del self._buffer[:at]
        return found
