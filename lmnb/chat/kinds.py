"""How the value of a tool's parameter is written, by the tool's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lmnb.chat.references import resolved

__all__ = ["Kind", "kind"]

Kind = Literal["string", "nullable", "json", "any"]
EVERYTHING = frozenset(("string", "any"))


def kind(schema: Mapping[str, Any], key: str) -> Kind:
    """How a value of this key is written: as a string, a string or null, or as JSON."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or key not in properties:
        return "any"
    types = _types(properties[key], schema)
    if types == {"string"}:
        return "string"
    if types == {"string", "null"}:
        return "nullable"
    return "any" if "string" in types else "json"


def _types(schema: Any, root: Mapping[str, Any]) -> frozenset[str]:
    """The names of the JSON types which `schema` allows; everything, if it does not say."""
    found: frozenset[str] = frozenset()
    left, seen = [schema], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, Mapping):
            found |= EVERYTHING
        elif isinstance(reference := one.get("$ref"), str):
            left.append(resolved(reference, root))
        elif options := one.get("anyOf") or one.get("oneOf"):
            left += options if isinstance(options, list) else [None]
        else:
            found |= _own_types(one)
    return found or EVERYTHING


def _own_types(schema: Mapping[str, Any]) -> frozenset[str]:
    types = schema.get("type")
    if isinstance(types, str):
        return frozenset((types,))
    if isinstance(types, list):
        return frozenset(map(str, types))
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        return frozenset(map(_type_of, values))
    return EVERYTHING


def _type_of(value: Any) -> str:
    return "string" if isinstance(value, str) else "null" if value is None else "any"
