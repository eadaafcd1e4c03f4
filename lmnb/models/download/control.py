"""How one thread stops what another one fetches, and sees how far it is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Control", "Stopped"]


class Stopped(Exception):
    """Raised in the thread that was told to stop."""


class Control:
    """One of these for each run. `stop` is for any thread, the rest for the one that fetches."""

    def __init__(self) -> None:
        self.received: dict[str, int] = {}
        """Bytes that are here, by path."""
        self.problem: str | None = None
        """Why nothing comes at the moment, where it is tried again."""
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def stop(self) -> None:
        """Also wakes the other thread where it waits for the network."""
        with self._lock:
            self._stopped.set()
            if self._socket is not None:
                _shut(self._socket)

    def check(self) -> None:
        """Raises Stopped."""
        if self._stopped.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep for so long. Raises Stopped as soon as it is."""
        if self._stopped.wait(seconds):
            raise Stopped

    @contextmanager
    def listening(self, connection: socket.socket | None) -> Iterator[None]:
        """`stop` ends this connection while the block lasts."""
        with self._lock:
            self.check()
            self._socket = connection
        try:
            yield
        finally:
            with self._lock:
                self._socket = None


def _shut(connection: socket.socket) -> None:
    """Whoever reads from it reads its end. With TLS, too: not through `SSLSocket.shutdown`, which
    takes the other thread's state away under it."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
