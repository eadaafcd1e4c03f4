"""What a caller shows, and whom it stands for."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets

from tornado.httputil import HTTPServerRequest

from lmnb.service.caller import Caller
from lmnb.service.keys import Keys, looks_like_a_key

__all__ = ["KeyRing", "ServerKey", "new_key", "presented_keys"]

BEARER = re.compile(r"(?:token|bearer)\s+(.+)", re.IGNORECASE)


def new_key() -> str:
    return f"sk-lmnb-{secrets.token_urlsafe(24)}"


def presented_keys(request: HTTPServerRequest) -> list[str]:
    """What the caller showed: `Authorization`, and Anthropic's `x-api-key`, which clients of both
    kinds send beside each other."""
    bearer = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    shown = (bearer[1] if bearer else "", request.headers.get("x-api-key", ""))
    return [key.strip() for key in shown if key.strip()]


class ServerKey:
    """The key of one server, given by its user or made up when it starts. Opens every route."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value or new_key()

    def opens(self, request: HTTPServerRequest) -> bool:
        """Takes the same time whatever was shown."""
        shown = [key.encode("utf-8", "surrogateescape") for key in presented_keys(request)]
        return any(hmac.compare_digest(key, self.value.encode()) for key in shown)


class KeyRing:
    """The server's own key, and those that its user has made."""

    def __init__(self, server_key: ServerKey, keys: Keys | None = None) -> None:
        self.server_key = server_key
        self._keys = keys

    async def caller(self, request: HTTPServerRequest) -> Caller | None:
        """Whom the shown keys stand for; None when they are nobody's. Raises AuthenticationError
        for a key that has expired."""
        if self.server_key.opens(request):
            return Caller("server key")
        for shown in presented_keys(request):
            if self._keys is None or not looks_like_a_key(shown):
                continue
            if key := await asyncio.to_thread(self._keys.find, shown):
                return Caller(f"key {key.name}", frozenset(key.permissions))
        return None
