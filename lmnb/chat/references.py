"""What a `$ref` of a JSON schema points to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["followed", "resolved"]

LONGEST_CHAIN = 32
LONGEST_NUMBER = 9
"""Digits of a place in a list."""


def followed(schema: Any, root: Any) -> Any:
    """The schema, or what its `$ref` leads to, from one to the next."""
    for _ in range(LONGEST_CHAIN):
        target = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(target, str):
            break
        schema = resolved(target, root)
    return schema


def resolved(reference: str, root: Any) -> Any:
    """What `#/$defs/name` points to, or `/$defs/name`, as some clients send it. None: nothing is
    there, or it is not in `root`."""
    pointer = unquote(reference.removeprefix("#"))
    if pointer and not pointer.startswith("/"):
        return None
    value = root
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            number = int(step) if step.isdecimal() and len(step) <= LONGEST_NUMBER else len(value)
            value = value[number] if number < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value
