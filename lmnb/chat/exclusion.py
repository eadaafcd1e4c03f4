"""Whether two JSON schemas can both be right about one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["exclude", "values"]


def exclude(one: Any, other: Any) -> bool:
    """Whether no value can be valid by both. False also means: not known."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    if not _types(one) & _types(other):
        return True
    left, right = values(one), values(other)
    if left is not None and right is not None:
        return not any(value in right for value in left)
    if _types(one) & _types(other) != {"object"}:
        return False
    first, second = one.get("properties"), other.get("properties")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return False
    needed = _names(one.get("required")) & _names(other.get("required"))
    return any(exclude(first.get(name), second.get(name)) for name in needed)


def _types(schema: Mapping[str, Any]) -> set[str]:
    """JSON types that the schema allows."""
    kinds = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    if (left := values(schema)) is not None:
        return {kinds.get(type(value), "number") for value in left}
    said = schema.get("type", [*kinds.values(), "number"])
    names = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return {"number" if name == "integer" else str(name) for name in names}


def values(schema: Mapping[str, Any]) -> list[Any] | None:
    """All values that `const` or `enum` leave."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) else None


def _names(value: Any) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
