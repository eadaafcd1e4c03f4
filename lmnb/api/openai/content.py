"""A message's content as clients send it: a string, or an array of parts."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError

__all__ = ["content_parts"]


def content_parts(value: Any) -> Any:
    """The parts; a string is one of text. For pydantic, before it looks at them."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("content_type", "should be a string or an array of content parts")
