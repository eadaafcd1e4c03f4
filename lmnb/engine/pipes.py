"""The parent's ends of the two pipes to an engine process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from lmnb.engine import protocol

__all__ = ["LoopPipes", "Pipes", "ThreadPipes", "open_pipes"]

READ_BYTES = 1 << 16
"""What Linux and macOS let a pipe hold. A step's events are far less; a long answer comes in turns."""

Received = Callable[[list[protocol.Message]], None]
Ended = Callable[[], None]


class Pipes(Protocol):
    """Messages come to `received`, in the loop; `ended` is called there once, when there will be no
    more. Both descriptors belong to this object."""

    def send(self, command: protocol.Command) -> None:
        """Never blocks: a worker that has stopped reading must not stop the loop."""

    def close(self) -> None:
        """The end of the commands, which tells a worker to end. What is not written yet is lost."""


class LoopPipes:
    """Served by the event loop itself. A hop from thread to thread takes as long as all else that a
    token or a short text costs the server."""

    def __init__(self, reading: int, writing: int, received: Received, ended: Ended) -> None:
        self._loop = asyncio.get_running_loop()
        self._in, self._out = reading, writing
        self._received, self._ended = received, ended
        self._frames = protocol.FrameReader(protocol.decode_message)
        self._unsent: deque[memoryview] = deque()
        self._closed = False
        if sys.platform != "win32":
            os.set_blocking(reading, False)
            os.set_blocking(writing, False)
        self._loop.add_reader(reading, self._read)

    def send(self, command: protocol.Command) -> None:
        if self._closed:
            return
        self._unsent.append(memoryview(protocol.frame(command)))
        if len(self._unsent) == 1:
            self._write()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._unsent.clear()
            self._loop.remove_writer(self._out)
            os.close(self._out)

    def _write(self) -> None:
        """One call each time: what is long must not hold up the loop, however fast it is read."""
        data = self._unsent[0]
        try:
            data = data[os.write(self._out, data) :]
        except BlockingIOError:
            pass
        except OSError:  # the worker is gone, which its own pipe tells
            self.close()
            return
        if data:
            self._unsent[0] = data
        else:
            self._unsent.popleft()
        if self._unsent:
            self._loop.add_writer(self._out, self._write)
        else:
            self._loop.remove_writer(self._out)

    def _read(self) -> None:
        try:
            data = os.read(self._in, READ_BYTES)
            messages = self._frames.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError, msgspec.DecodeError):
            data, messages = b"", []
        if messages:
            self._received(messages)
        if not data:
            self._loop.remove_reader(self._in)
            os.close(self._in)
            self.close()
            self._ended()


class ThreadPipes:
    """Where no event loop can wait for a pipe, as on Windows: each has a thread."""

    def __init__(self, reading: int, writing: int, received: Received, ended: Ended) -> None:
        self._loop = asyncio.get_running_loop()
        self._in, self._out = reading, writing
        self._received, self._ended = received, ended
        self._unsent: queue.SimpleQueue[protocol.Command | None] = queue.SimpleQueue()
        for target in (self._read, self._write):
            threading.Thread(target=target, daemon=True, name="lmnb-engine").start()

    def send(self, command: protocol.Command) -> None:
        self._unsent.put(command)

    def close(self) -> None:
        self._unsent.put(None)

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (command := self._unsent.get()) is not None:
                protocol.write(self._out, command)
        with contextlib.suppress(OSError):
            os.close(self._out)

    def _read(self) -> None:
        frames = protocol.FrameReader(protocol.decode_message)
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            while data := os.read(self._in, READ_BYTES):
                self._tell(self._received, frames.feed(data))
        os.close(self._in)
        self.close()
        self._tell(self._ended)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be gone first
            self._loop.call_soon_threadsafe(callback, *arguments)


def open_pipes(reading: int, writing: int, received: Received, ended: Ended) -> Pipes:
    """In the running loop."""
    kind = ThreadPipes if sys.platform == "win32" else LoopPipes
    return kind(reading, writing, received, ended)
