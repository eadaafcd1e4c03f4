"""Anthropic's form of an error, for every route that its SDKs may ask."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from lmnb.errors import LmnbError

__all__ = ["NO_THREADS", "VERSION", "error_json", "status_of"]

VERSION = "anthropic-version"
"""The header that Anthropic's SDKs send with each request."""
NO_THREADS = "thread_unsupported_request"
"""The code at which the SDKs send a whole conversation instead of its newest turn."""
OVERLOADED = 529
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    OVERLOADED: "overloaded_error",
}


def error_json(error: LmnbError, request_id: str) -> dict[str, Any]:
    kind = TYPES.get(status_of(error))
    if kind is None:
        kind = "api_error" if error.status >= 500 else "invalid_request_error"
    said: dict[str, Any] = {"type": kind, "message": error.message}
    if error.code == NO_THREADS:
        said["details"] = {"error_code": NO_THREADS}
    return {"type": "error", "error": said, "request_id": request_id}


def status_of(error: LmnbError) -> int:
    """As ours, but for "try again soon", which has a number of its own there."""
    return OVERLOADED if error.status == HTTPStatus.SERVICE_UNAVAILABLE else error.status
