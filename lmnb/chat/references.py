"""What a `$ref` of a JSON schema points to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["apart", "followed", "resolved"]

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


def apart(schema: Mapping[str, Any], root: Any, most: int) -> dict[str, Any]:
    """A part of `root` as a schema of its own: what it refers to, however far, is in its `$defs`.

    Raises OverflowError where that is more than `most` characters of JSON.
    """
    names: dict[str, str] = {}
    left: list[str] = []

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(one) for one in value]
        if not isinstance(value, Mapping):
            return value
        done = {key: moved(one) for key, one in value.items()}
        target = value.get("$ref")
        if isinstance(target, str) and resolved(target, root) is not None:
            if target not in names:
                names[target] = f"r{len(names)}"
                left.append(target)
            done["$ref"] = f"#/$defs/{names[target]}"
        return done

    own = moved(schema)
    definitions = {}
    while left:
        target = left.pop()
        definitions[names[target]] = moved(resolved(target, root))
        most -= len(json.dumps(definitions[names[target]]))
        if most < 0:
            raise OverflowError
    return {**own, "$defs": definitions} if definitions else own
