"""A client's JSON schema, made ready for llguidance: what cannot be enforced is refused by name.

llguidance enforces most of JSON Schema 2020-12 and refuses what it cannot. Around it:

- keywords that say nothing (`uniqueItems: false`) are dropped, some are said in other words
  (`rewriting.py`, `formats.py`), and those that cannot be enforced are refused with the place where
  they stand;
- `oneOf` whose branches exclude one another is the `anyOf` it means;
- an object that lists its properties gets no others, unless the schema says it may: every document
  is still valid, and a small model comes to an end;
- no free white space, and no integers beyond 64 bits: small models write either until their tokens
  run out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lmnb.chat import formats
from lmnb.chat.alternatives import any_of
from lmnb.chat.references import followed, resolved
from lmnb.chat.rewriting import reword
from lmnb.errors import InvalidRequest

__all__ = ["ready"]

Schema = dict[str, Any]

UNSERVED = frozenset(
    "not if then else contains minContains maxContains uniqueItems propertyNames dependencies"
    " dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems"
    " $dynamicRef $recursiveRef disallow divisibleBy extends".split()
)
_NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
"""Keywords that say nothing without another."""

_ONE = ("items", "additionalProperties", "additionalItems")
_MANY = ("prefixItems", "anyOf", "oneOf", "allOf", "items")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_NAMES = frozenset(("$id", "id", "$anchor", "$dynamicAnchor"))
_OPEN = frozenset(
    ("anyOf", "oneOf", "$ref", "additionalProperties", "patternProperties", "minProperties")
)
_OBJECT = frozenset(("properties", "required", "patternProperties", "additionalProperties"))
_BESIDE_REF = frozenset(
    "$ref $defs definitions $schema $id $comment title description default examples deprecated"
    " readOnly writeOnly".split()
)

STYLE = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}


def ready(schema: Any) -> Schema:
    """Raises InvalidRequest, naming the keyword and its place."""
    if isinstance(schema, bool):
        schema = {} if schema else {"enum": []}
    if not isinstance(schema, dict):
        raise InvalidRequest("A JSON schema must be an object.")
    return {**_Schema(schema).served(schema, ()), "x-guidance": STYLE}


class _Schema:
    """One whole schema: what `$ref`s in it point to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._closing = not any(map(_intersects, _parts(root)))
        self._named = any(part.keys() & _NAMES for part in _parts(root))

    def served(self, schema: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return schema
        done = {
            key: value
            for key, value in schema.items()
            if key != "x-guidance" and not _empty(key, value, schema)
        }
        if path and done.get("not") in ({}, True):
            return False  # as Zod writes what can never be
        reword(done, self._resolve)
        if refused := sorted(done.keys() & UNSERVED):
            raise _refused(f"keyword '{refused[0]}'", path)
        if self._points_outside(target := done.get("$ref")):
            raise _refused("keyword '$ref'", path, f": '{target}' is not in the schema")
        if unknown := formats.refused(done):
            raise _refused(f"'format' '{unknown}'", path)
        formats.enforce(done)
        self._choose(done, path)
        for key in _ONE:
            if isinstance(done.get(key), dict):
                done[key] = self.served(done[key], (*path, key))
        for key in _MANY:
            if isinstance(done.get(key), list):
                done[key] = [
                    self.served(one, (*path, f"{key}[{number}]"))
                    for number, one in enumerate(done[key])
                ]
        for key in _NAMED:
            if isinstance(done.get(key), dict):
                done[key] = {
                    name: self.served(one, (*path, key, name)) for name, one in done[key].items()
                }
        if self._closing and (_lists_its_properties(done) or _has_only_patterns(done)):
            done["additionalProperties"] = False
        return done

    def _choose(self, schema: Schema, path: tuple[str, ...]) -> None:
        if not isinstance(schema.get("oneOf"), list):
            return
        branches = any_of(schema, self._resolve, self._closed)
        if branches is None:
            raise _refused("keyword 'oneOf'", path, " where its branches may overlap: use 'anyOf'")
        del schema["oneOf"]
        if "anyOf" in schema:
            schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": branches}]
        else:
            schema["anyOf"] = branches

    def _points_outside(self, target: Any) -> bool:
        """Where parts have names of their own, llguidance knows."""
        if not isinstance(target, str) or self._named:
            return False
        return not target.startswith("#") or resolved(target, self._root) is None

    def _closed(self, schema: Mapping[str, Any]) -> bool:
        return self._closing and _lists_its_properties(schema)

    def _resolve(self, schema: Any) -> Any:
        return followed(schema, self._root)


def _parts(schema: Any) -> Iterator[Schema]:
    """The schema and all schemas in it."""
    if isinstance(schema, dict):
        yield schema
        for key in _ONE:
            yield from _parts(schema.get(key))
        for key in _MANY:
            for one in schema[key] if isinstance(schema.get(key), list) else ():
                yield from _parts(one)
        for key in _NAMED:
            for one in schema[key].values() if isinstance(schema.get(key), dict) else ():
                yield from _parts(one)


def _empty(key: str, value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a keyword says nothing where it stands."""
    if key in _NEEDS:
        return _NEEDS[key] not in schema
    if key == "if":
        return not schema.keys() & {"then", "else"}
    if key in ("uniqueItems", "not"):
        return value is False
    if key in ("unevaluatedProperties", "unevaluatedItems", "propertyNames"):
        return value is True or value == {}
    return key in ("dependencies", "dependentRequired", "dependentSchemas") and value == {}


def _intersects(schema: Schema) -> bool:
    """Whether a value must meet more than one object schema here: then none may be closed."""
    if "allOf" in schema or ("$ref" in schema and schema.keys() - _BESIDE_REF):
        return True
    return bool(schema.keys() & {"anyOf", "oneOf"}) and bool(schema.keys() & _OBJECT)


def _lists_its_properties(schema: Mapping[str, Any]) -> bool:
    names, required = schema.get("properties"), schema.get("required", [])
    return (
        isinstance(names, dict)
        and bool(names)
        and not _OPEN & schema.keys()
        and isinstance(required, list)
        and all(isinstance(name, str) and name in names for name in required)
    )


def _has_only_patterns(schema: Schema) -> bool:
    said = schema.keys() & (_OBJECT | _OPEN)
    return said == {"patternProperties"} and bool(schema["patternProperties"])


def _refused(what: str, path: tuple[str, ...], why: str = "") -> InvalidRequest:
    return InvalidRequest(f"The JSON schema {what} (in {_place(path)}) is not supported{why}.")


def _place(path: tuple[str, ...]) -> str:
    return f"'{'.'.join(path)}'" if path else "its root"
