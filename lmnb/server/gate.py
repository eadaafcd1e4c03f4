"""Who may call a server that has no notebook server around it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from lmnb.errors import AuthenticationError, PermissionDenied
from lmnb.server.keys import KeyRing, presented_keys
from lmnb.server.peer import is_address, is_loopback, is_own_process
from lmnb.service.caller import Caller

__all__ = ["Gate"]

FORWARDED = ("forwarded", "via", "x-real-ip", "x-scheme", "x-proxycontextpath", "cf-connecting-ip")
"""Somebody stands between: the other end of the socket says nothing about who asks."""
ANYBODY = Caller("anybody", frozenset(("use", "manage")))
"""Where nobody is asked for a key, nobody makes one either: it would outlive the openness."""


@dataclass(kw_only=True)
class Gate:
    """A key opens always. Without one, only this user's own processes on this machine come in, so
    that clients which send no key (or any) work, while other users of the machine stay out."""

    keys: KeyRing
    key_required: bool = False
    open_to_all: bool = False
    cors: bool = False
    """Pages of other origins may ask, if they have a key."""
    is_own_process: Callable[[Any], Awaitable[bool]] = field(default=is_own_process)

    @property
    def asks_everybody(self) -> bool:
        """Not even this user's own processes go without a key."""
        return self.key_required or "JUPYTERHUB_API_TOKEN" in os.environ

    async def admit(self, request: HTTPServerRequest) -> Caller:
        """Raise AuthenticationError or PermissionDenied unless the caller may call."""
        if caller := await self.keys.caller(request):
            return caller
        if self.open_to_all:
            if _is_foreign_page(request):
                raise PermissionDenied("Web pages of other origins may not use this server.")
            return ANYBODY
        if self.asks_everybody:
            raise AuthenticationError(_complaint(request))
        if not (_is_plainly_local(request) and await self._comes_from_own_process(request)):
            raise AuthenticationError(_complaint(request))
        return Caller("own process")

    async def _comes_from_own_process(self, request: HTTPServerRequest) -> bool:
        """Looked up once for each connection, and kept where Tornado keeps what it knows of it."""
        connection = cast(Any, request.connection)
        known: bool | None = getattr(connection.context, "lmnb_own_process", None)
        if known is None:
            known = await self.is_own_process(connection.stream.socket)
            connection.context.lmnb_own_process = known
        return known


def _is_foreign_page(request: HTTPServerRequest) -> bool:
    """Does a browser say that a page of elsewhere asks? A name of its own may be rebound to us, so
    only pages under an address or `localhost` count as ours."""
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    if origin is None:
        return False
    _, _, page = origin.partition("://")
    return page.lower() != host.lower() or not is_address(_hostname(page))


def _is_plainly_local(request: HTTPServerRequest) -> bool:
    """No web page of elsewhere and no proxy has a hand in it (DNS rebinding included)."""
    headers = request.headers
    host = headers.get("Host", "")
    if not is_loopback(_hostname(host)):
        return False
    forwarded = any(name.lower() in FORWARDED or _names_a_hop(name) for name in headers)
    return not (forwarded or _is_foreign_page(request))


def _names_a_hop(header: str) -> bool:
    return header.lower().startswith("x-forwarded-")


def _hostname(host: str) -> str:
    """Without the port. Empty for what is no host at all."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _complaint(request: HTTPServerRequest) -> str:
    if presented_keys(request):
        return "Incorrect API key provided."
    return "No API key provided. Send it as 'Authorization: Bearer KEY'."
