"""The key of one server: given by its user, or made up when it starts."""

from __future__ import annotations

import hmac
import re
import secrets

from tornado.httputil import HTTPServerRequest

__all__ = ["ServerKey", "new_key", "presented_keys"]

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
    """Opens every route."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value or new_key()

    def opens(self, request: HTTPServerRequest) -> bool:
        """Takes the same time whatever was shown."""
        shown = [key.encode("utf-8", "surrogateescape") for key in presented_keys(request)]
        return any(hmac.compare_digest(key, self.value.encode()) for key in shown)
