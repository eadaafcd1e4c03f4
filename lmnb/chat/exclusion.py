"""Whether two JSON schemas can both be right about one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Closed", "exclude", "names", "properties", "values"]

Schema = Mapping[str, Any]
Closed = Callable[[Schema], bool]
"""Whether what is written by an object schema has no properties but those it lists."""

_KEYS = {
    "number": (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")),
    "string": (("minLength",), ("maxLength",)),
    "array": (("minItems",), ("maxItems",)),
    "object": (("minProperties",), ("maxProperties",)),
}
"""What bounds a number, or a size: from below, and from above."""


def exclude(one: Any, other: Any, closed: Closed) -> bool:
    """Whether no value that is written by one is valid by the other. False also means: not known."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one is False or other is False
    both = _types(one) & _types(other)
    if not both:
        return True
    left, right = values(one), values(other)
    if left is not None and right is not None:
        return not any(value in right for value in left)
    if len(both) > 1:
        return False
    (kind,) = both
    if kind in _KEYS and (_below(one, other, kind) or _below(other, one, kind)):
        return True
    if kind == "array":
        return _some(one) and _some(other) and exclude(one.get("items"), other.get("items"), closed)
    return kind == "object" and _objects(one, other, closed)


def _objects(one: Schema, other: Schema, closed: Closed) -> bool:
    first, second = properties(one), properties(other)
    needed, wanted = names(one.get("required")), names(other.get("required"))
    if any(exclude(first.get(name), second.get(name), closed) for name in needed & wanted):
        return True
    lacks, misses = bool(wanted - first.keys()), bool(needed - second.keys())
    if (lacks and _shut(one)) or (misses and _shut(other)):
        return True
    return lacks and misses and closed(one) and closed(other)


def _shut(schema: Schema) -> bool:
    """Whether by its own word there are no properties but those it lists."""
    return schema.get("additionalProperties") is False and not schema.get("patternProperties")


def _below(one: Schema, other: Schema, kind: str) -> bool:
    """Whether all numbers, or sizes, of one are smaller than all of the other."""
    lower, upper = _KEYS[kind]
    mosts = [number for key in upper if (number := _number(one, key)) is not None]
    leasts = [number for key in lower if (number := _number(other, key)) is not None]
    if not mosts or not leasts:
        return False
    most, least = min(mosts), max(leasts)
    ends = _number(one, "exclusiveMaximum") == most or _number(other, "exclusiveMinimum") == least
    return most < least or (most == least and ends and kind == "number")


def _number(schema: Schema, key: str) -> float | None:
    value = schema.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _some(schema: Schema) -> bool:
    """Whether an array has a first element, which `items` is about."""
    least = schema.get("minItems")
    return isinstance(least, int) and least > 0 and "prefixItems" not in schema


def properties(schema: Schema) -> Mapping[str, Any]:
    """Those it lists."""
    listed = schema.get("properties")
    return listed if isinstance(listed, dict) else {}


def _types(schema: Schema) -> set[str]:
    """JSON types that the schema allows."""
    kinds = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    if (left := values(schema)) is not None:
        return {kinds.get(type(value), "number") for value in left}
    said = schema.get("type", [*kinds.values(), "number"])
    names = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return {"number" if name == "integer" else str(name) for name in names}


def values(schema: Schema) -> list[Any] | None:
    """All values that `const` or `enum` leave."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) else None


def names(value: Any) -> set[str]:
    """What a `required` lists."""
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
