"""How the value of a tool's parameter is written, by the tool's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lmnb.chat.references import resolved

__all__ = ["Kind", "kind", "listed_values", "texts"]

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


def texts(schema: Mapping[str, Any], key: str) -> list[str | None]:
    """What a value of this key may be, where that is one of some texts, or null; else nothing."""
    listed: list[str | None] = []
    for one in _alternatives(schema["properties"][key], schema):
        values = [None] if one.get("type") == "null" else listed_values(one)
        if not values or not all(value is None or isinstance(value, str) for value in values):
            return []
        listed += values
    return list(dict.fromkeys(listed))


def _types(schema: Any, root: Mapping[str, Any]) -> frozenset[str]:
    """The names of the JSON types which `schema` allows; everything, if it does not say."""
    return frozenset().union(*map(_own_types, _alternatives(schema, root))) or EVERYTHING


def _alternatives(schema: Any, root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas of which one holds, without references. One that is no object is an empty one."""
    found: list[Mapping[str, Any]] = []
    left, seen = [schema], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, Mapping):
            found.append({})
        elif isinstance(reference := one.get("$ref"), str):
            left.append(resolved(reference, root))
        elif options := one.get("anyOf") or one.get("oneOf"):
            left += reversed(options) if isinstance(options, list) else [None]
        else:
            found.append(one)
    return found


def _own_types(schema: Mapping[str, Any]) -> frozenset[str]:
    types = schema.get("type")
    if isinstance(types, str):
        return frozenset((types,))
    if isinstance(types, list):
        return frozenset(map(str, types))
    values = listed_values(schema)
    return EVERYTHING if values is None else frozenset(map(_type_of, values))


def listed_values(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values of which one it must be. None: it lists none."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return values if isinstance(values, list) else None


def _type_of(value: Any) -> str:
    return "string" if isinstance(value, str) else "null" if value is None else "any"
