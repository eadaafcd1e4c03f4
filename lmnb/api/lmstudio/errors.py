"""How LM Studio's native API writes an error."""

from __future__ import annotations

from typing import Any

from lmnb.api.base import ApiHandler
from lmnb.errors import LmnbError, McpConnectionFailed, MissingExtra, ModelNotFound

__all__ = ["NativeHandler", "error_json"]

TYPES: dict[type[LmnbError], str] = {
    McpConnectionFailed: "mcp_connection_error",
    MissingExtra: "not_implemented",
    ModelNotFound: "model_not_found",
}


def error_json(error: LmnbError) -> dict[str, Any]:
    """`code` and `param` are there or not."""
    kind = "internal_error" if error.status >= 500 else "invalid_request"
    more = {"code": error.code, "param": error.param}
    return {
        "type": TYPES.get(type(error), kind),
        "message": error.message,
        **{name: value for name, value in more.items() if value is not None},
    }


class NativeHandler(ApiHandler):
    """A handler whose errors are LM Studio's."""

    def error_body(self, error: LmnbError) -> dict[str, Any]:
        return {"error": error_json(error)}
