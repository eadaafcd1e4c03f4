"""A port of this machine: to have, or to say who has it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import psutil

from lmnb.errors import InvalidRequest
from lmnb.service.listener import PortInUse

__all__ = ["bind_loopback"]

ATTEMPTS = 8
BACKLOG = 128
TAKEN = (errno.EADDRINUSE, errno.EACCES)


async def bind_loopback(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and ::1: `localhost` means either, and whoever had the other would be
    sent what is meant for us. Port 0 takes any that is free. Raises PortInUse, InvalidRequest."""
    for attempt in range(ATTEMPTS):
        try:
            return _bind(port)
        except OSError as error:
            if error.errno not in TAKEN:
                raise InvalidRequest(f"Port {port}: {error.strerror}.", param="port") from None
            if port == 0 and attempt < ATTEMPTS - 1:
                continue  # it was free on one of the two only
            if error.errno == errno.EACCES:
                message = f"This user may not listen on port {port}."
            else:
                message = f"Port {port} is in use by {await asyncio.to_thread(_holder, port)}."
            raise PortInUse(
                f"{message} Choose another one with --port (0 takes any that is free).",
                param="port",
            ) from None
    raise AssertionError("the last attempt returns or raises")


def _bind(port: int) -> list[socket.socket]:
    sockets = [socket.create_server(("127.0.0.1", port), backlog=BACKLOG)]
    try:
        address = "::1", sockets[0].getsockname()[1]
        sockets.append(socket.create_server(address, family=socket.AF_INET6, backlog=BACKLOG))
    except OSError as error:
        if error.errno in TAKEN:
            sockets[0].close()
            raise
    for each in sockets:  # without IPv6, one will do
        each.setblocking(False)
    return sockets


def _holder(port: int) -> str:
    """Its name and number; processes of other users may be hidden from us."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):  # macOS tells root only
        connections = []
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.laddr.port != port:
            continue
        if connection.pid is None:
            return "a process of another user"
        if connection.pid == os.getpid():
            return "this very server"
        try:
            process = psutil.Process(connection.pid)
            return f"{process.name()} (process {process.pid}, {process.username()})"
        except psutil.Error:
            return f"process {connection.pid}"
    return "another program"
