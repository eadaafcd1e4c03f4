"""JSON schemas said in other words: ones that llguidance can enforce."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from lmnb.chat.exclusion import values
from lmnb.chat.formats import KNOWN

__all__ = ["reword"]

Schema = dict[str, Any]

MAX_INTEGER = 9 * 10**18
"""About what 64 bits hold. Small models write digits until their tokens run out."""
MAX_UNIQUE = 5
"""Values of which every arrangement is written down: 326."""

_COUNTS = frozenset("minItems maxItems minLength maxLength minProperties maxProperties".split())
_APPLICATORS = frozenset(
    "allOf anyOf oneOf not if then else $ref $dynamicRef dependentSchemas contains".split()
)
_NOTES = frozenset("$comment $id $schema description default examples title".split())


def reword(schema: Schema, resolve: Callable[[Any], Any]) -> None:
    """`resolve` follows a `$ref`."""
    for key in _COUNTS & schema.keys():
        if isinstance(schema[key], float) and schema[key].is_integer():
            schema[key] = int(schema[key])
    if "$dynamicRef" not in schema and "$dynamicAnchor" in schema:
        schema["$anchor"] = schema.pop("$dynamicAnchor")
    _integers(schema)
    _unevaluated(schema)
    _property_names(schema, resolve)
    _unique_items(schema, resolve)


def _integers(schema: Schema) -> None:
    """Those without a bound get one."""
    types = schema.get("type")
    types = types if isinstance(types, list) else [types]
    if "integer" not in types or "number" in types or schema.keys() & {"enum", "const"}:
        return
    if "exclusiveMinimum" not in schema:
        schema.setdefault("minimum", -MAX_INTEGER)
    if "exclusiveMaximum" not in schema:
        schema.setdefault("maximum", MAX_INTEGER)


def _property_names(schema: Schema, resolve: Callable[[Any], Any]) -> None:
    """`propertyNames` that are listed, or a pattern, say the same as properties that are."""
    names = resolve(schema.get("propertyNames"))
    if not isinstance(names, dict) or schema.keys() & {"properties", "patternProperties"}:
        return
    value = schema.get("additionalProperties", {})
    listed = values(names)
    if listed is not None and all(isinstance(name, str) for name in listed):
        schema["properties"] = dict.fromkeys(listed, value)
    elif pattern := _pattern(names):
        schema["patternProperties"] = {pattern: value}
    else:
        return
    del schema["propertyNames"]
    schema["additionalProperties"] = False


def _pattern(names: Schema) -> str | None:
    """Of all strings that are valid; None where one pattern cannot say it."""
    said = names.keys() - _NOTES - {"type"}
    if names.get("type", "string") != "string":
        return None
    if said == {"pattern"} and isinstance(names["pattern"], str):
        return names["pattern"]
    if said == {"format"}:
        return KNOWN.get(names["format"])
    least, most = names.get("minLength", 0), names.get("maxLength", "")
    if said and said <= {"minLength", "maxLength"} and isinstance(least, int):
        return f"^(?s:.){{{least},{most}}}$"
    return None


def _unique_items(schema: Schema, resolve: Callable[[Any], Any]) -> None:
    """A few values that may come once each: all arrangements of them."""
    items = resolve(schema.get("items"))
    listed = values(items) if isinstance(items, dict) else None
    if schema.get("uniqueItems") is not True or schema.get("type") != "array" or not listed:
        return
    known = {"type", "items", "uniqueItems", "minItems", "maxItems"}
    if len(listed) > MAX_UNIQUE or schema.keys() - known - _NOTES:
        return
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(listed))
    if isinstance(least, int) and isinstance(most, int):
        for key in known & schema.keys():
            del schema[key]
        counts = range(least, min(most, len(listed)) + 1)
        schema["enum"] = [
            [*some] for count in counts for some in itertools.permutations(listed, count)
        ]


def _unevaluated(schema: Schema) -> None:
    """Where nothing else evaluates, what is unevaluated is what is additional."""
    if schema.keys() & _APPLICATORS:
        return
    if "unevaluatedProperties" in schema:
        rest = schema.pop("unevaluatedProperties")
        schema.setdefault("additionalProperties", rest)
    if "unevaluatedItems" in schema:
        rest = schema.pop("unevaluatedItems")
        if not isinstance(schema.get("items"), list):
            schema.setdefault("items", rest)
        else:
            schema.setdefault("additionalItems", rest)
