"""Where this server goes on somebody's behalf: to fetch a picture, to call a server of tools.

A caller names an address; the server's own network must not be reached through it. A name is
resolved once, and the connection goes to the very address that was looked at: a name that resolves
otherwise the next time leads nowhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, TypeVar

from lmnb.errors import InvalidRequest, LmnbError, PermissionDenied

__all__ = ["HostUnreachable", "Outbound"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
RequestT = TypeVar("RequestT")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class HostUnreachable(LmnbError):
    """A name that does not resolve."""

    status = 502
    code = "host_unreachable"


class Outbound:
    """`allowed`: the only hosts (`name` or `name:port`) that may be reached, wherever they are.
    Without any: every host whose addresses are all public."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.strip().lower() for host in allowed if host.strip())

    async def address(self, scheme: str, host: str, port: int | None) -> str:
        """The IP address to connect to. Raises InvalidRequest, PermissionDenied, HostUnreachable."""
        if scheme not in ("http", "https") or not host:
            raise InvalidRequest("Only http and https URLs can be fetched.")
        port = port or (443 if scheme == "https" else 80)
        name = host.lower().strip("[]")
        addresses = await self._resolve(name, port)
        if self._allowed:
            if not {name, f"{name}:{port}"} & self._allowed:
                raise PermissionDenied(
                    f"This server does not fetch from '{host}': it is not among 'allowed_hosts'."
                )
        elif not all(map(_is_public, addresses)):
            raise PermissionDenied(
                f"This server does not fetch from '{host}': that is no public address. "
                "'allowed_hosts' can name it."
            )
        return str(addresses[0])

    async def pinned(self, request: RequestT) -> RequestT:
        """A request of httpx's (or its successor's) that goes to the address that was looked at; its
        server's certificate must still be that of the name. Raises what `address` raises."""
        asked: Any = request
        address = await self.address(asked.url.scheme, asked.url.host, asked.url.port)
        pinned: RequestT = type(asked)(
            asked.method,
            asked.url.copy_with(host=address),
            headers=asked.headers,
            stream=asked.stream,
            extensions={**asked.extensions, "sni_hostname": asked.url.host},
        )
        return pinned

    async def _resolve(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise HostUnreachable(f"'{host}' cannot be found: {error}.") from None
        return [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


def _is_public(address: Address) -> bool:
    """An IPv6 address that only carries an IPv4 one is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not _is_public(inner):
            return False
    return address.is_global and not address.is_multicast
