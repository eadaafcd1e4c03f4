"""Whose process is at the other end of a loopback connection."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from lmnb.server import sockdiag
from lmnb.server.sockdiag import End

__all__ = ["is_address", "is_loopback", "is_own_process"]

ESTABLISHED = "01"


def is_loopback(host: str) -> bool:
    """Is this address of this machine only?"""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() in ("localhost", "localhost.")
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_address(host: str) -> bool:
    """Is this an address, or the name that always means this machine? DNS cannot redirect those."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return is_loopback(host)
    return True


async def is_own_process(connection: socket.socket) -> bool:
    """Does a process of this very user hold the other end? Unknown means no."""
    try:
        peer, ours = connection.getpeername()[:2], connection.getsockname()[:2]
    except (OSError, ValueError):
        return False
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    if not (is_loopback(peer[0]) and is_loopback(ours[0])):
        return False
    if not sys.platform.startswith("linux"):
        return await asyncio.to_thread(_is_own_by_psutil, peer, ours)
    owner = sockdiag.owner(connection.family, peer, ours)
    if owner is None:
        owner = await asyncio.to_thread(_owner_by_proc, peer, ours)
    return owner == os.getuid()


def _owner_by_proc(peer: End, ours: End) -> int | None:
    """The uid in the kernel's table of connections, seen from the peer's side."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        wide = table.endswith("6")
        wanted = [_hex(peer, wide=wide), _hex(ours, wide=wide), ESTABLISHED]
        try:
            rows = Path(table).read_text().splitlines()
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[1:4] == wanted:
                return int(fields[7])
    return None


def _hex(end: End, *, wide: bool) -> str:
    """`0100007F:04D2`: the address in the kernel's byte order, 32 bits at a time, and the port."""
    address: IPv4Address | IPv6Address = ip_address(end[0].split("%")[0])
    if wide and isinstance(address, IPv4Address):
        address = ip_address(f"::ffff:{address}")
    elif not wide and isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    raw = address.packed
    words = (raw[at : at + 4] for at in range(0, len(raw), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{end[1]:04X}"


def _is_own_by_psutil(peer: End, ours: End) -> bool:
    """Where there is no /proc: does any process of this user have that connection?"""
    import psutil

    me = psutil.Process().username()
    for process in psutil.process_iter(["username"]):
        if process.info["username"] != me:
            continue
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        for one in connections:
            if one.raddr and (one.laddr.port, one.raddr.port) == (peer[1], ours[1]):
                return True
    return False
