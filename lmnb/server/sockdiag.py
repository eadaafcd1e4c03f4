"""Whose connection it is, asked of Linux itself: one question and one answer of some 20 us. The table in
`/proc/net` lists every connection of the last minute, closed ones too, and takes milliseconds to read.

Messages as in `linux/inet_diag.h` and `linux/netlink.h` (sock_diag(7)).
"""

from __future__ import annotations

import socket
import struct

__all__ = ["End", "owner"]

End = tuple[str, int]
"""An address and a port."""

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST = 1
ESTABLISHED = 1
ANY = 0xFFFFFFFF
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
QUESTION = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
PORTS = struct.Struct(">HH")
REST_OF_ID = struct.Struct("=III")  # interface, cookie
ANSWER = struct.Struct("=BBBB4s32s12sIIIII")
"""Family, state, timer, retransmits, ports, addresses, rest of the id, expiry, queues, uid, inode."""


def owner(family: int, near: End, far: End) -> int | None:
    """The uid of whoever holds the end `near` of a TCP connection that leads to `far`. None: the kernel
    does not say, or there is no such connection. Never blocks."""
    connection = (
        PORTS.pack(near[1], far[1])
        + _packed(family, near[0])
        + _packed(family, far[0])
        + REST_OF_ID.pack(0, ANY, ANY)
    )
    question = QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, ANY) + connection
    length = HEADER.size + len(question)
    message = HEADER.pack(length, SOCK_DIAG_BY_FAMILY, REQUEST, 1, 0) + question
    try:
        with socket.socket(_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
            kernel.setblocking(False)
            kernel.send(message)
            data = kernel.recv(4096)
    except OSError:
        return None
    return _uid(data, near, far)


_NETLINK: int = getattr(socket, "AF_NETLINK", 16)


def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address.split("%")[0]).ljust(16, b"\0")


def _uid(data: bytes, near: End, far: End) -> int | None:
    """A server that listens at `near` is found too, where there is no connection."""
    if len(data) < HEADER.size + ANSWER.size or HEADER.unpack_from(data)[1] != SOCK_DIAG_BY_FAMILY:
        return None
    _, state, _, _, ports, *_, uid, _ = ANSWER.unpack_from(data, HEADER.size)
    exact = state == ESTABLISHED and PORTS.unpack(ports) == (near[1], far[1])
    return uid if exact else None
