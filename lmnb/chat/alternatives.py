"""`oneOf`, of which exactly one branch may hold, said as an `anyOf`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from lmnb.chat.exclusion import Closed, exclude, names, properties, values

__all__ = ["any_of"]

Schema = dict[str, Any]

MAX_COMPARED = 256
"""Branches of which each is compared with each. Texts that are listed may be more."""


def any_of(schema: Schema, resolve: Callable[[Any], Any], closed: Closed) -> list[Any] | None:
    """The branches of its `oneOf`, of which no two can hold together; None where that is not known.

    Two that only differ in what they require exclude one another once each has no property that only
    the other requires.
    """
    branches: Sequence[Any] = schema["oneOf"]
    whole = [_whole(resolve(branch), schema) for branch in branches]
    if _are_different_texts(whole):
        return [*branches]
    if len(branches) > MAX_COMPARED:
        return None
    forbidden: list[set[str]] = [set() for _ in branches]
    for one, other in combinations(range(len(branches)), 2):
        if exclude(whole[one], whole[other], closed):
            continue
        only = [_required(whole[i]) - _required(whole[j]) for i, j in ((one, other), (other, one))]
        if not all(only):
            return None
        forbidden[one].add(min(only[1]))
        forbidden[other].add(min(only[0]))
    return [_without(*pair) for pair in zip(branches, forbidden, strict=True)]


def _are_different_texts(branches: Sequence[Any]) -> bool:
    listed = [set[str]() for _ in branches]
    for branch, texts in zip(branches, listed, strict=True):
        given = values(branch) if isinstance(branch, dict) else None
        if given is None or not all(isinstance(one, str) for one in given):
            return False
        texts.update(given)
    return len(set().union(*listed)) == sum(map(len, listed))


def _whole(branch: Any, schema: Schema) -> Any:
    """The branch, with what the schema around it says of the same value."""
    if not isinstance(branch, dict):
        return branch
    whole = {**branch}
    for key in ("type", "enum", "const"):
        if key in schema:
            whole.setdefault(key, schema[key])
    if "required" in schema:
        whole["required"] = sorted(names(schema["required"]) | _required(branch))
    if "properties" in schema:
        whole["properties"] = {**properties(schema), **properties(branch)}
    return whole


def _required(schema: Any) -> set[str]:
    only_objects = isinstance(schema, dict) and schema.get("type") == "object"
    return names(schema.get("required")) if only_objects else set()


def _without(branch: Any, forbidden: set[str]) -> Any:
    if not forbidden:
        return branch
    return {"allOf": [branch, {"properties": dict.fromkeys(sorted(forbidden), False)}]}
