"""The key of one server: given by its user, or made up when it starts."""

from __future__ import annotations

import hmac
import re
import secrets

from tornado.httputil import HTTPServerRequest

__all__ = ["ServerKey", "new_key", "presented_key"]

BEARER = re.compile(r"(?:token|bearer)\s+(.+)", re.IGNORECASE)


def new_key() -> str:
    return f"sk-lmnb-{secrets.token_urlsafe(24)}"


def presented_key(request: HTTPServerRequest) -> str:
    """What the caller showed: `Authorization`, or Anthropic's `x-api-key`."""
    match = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    return match[1].strip() if match else request.headers.get("x-api-key", "").strip()


class ServerKey:
    """Opens every route."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value or new_key()

    def opens(self, request: HTTPServerRequest) -> bool:
        """Takes the same time whatever was shown."""
        shown = presented_key(request).encode("utf-8", "surrogateescape")
        return hmac.compare_digest(shown, self.value.encode())
