"""Whether a parameter's value is text or JSON, whatever its schema looks like."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from lmnb.chat.kinds import Kind, kind

TEXT, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        (TEXT, "string"),
        (NUMBER, "json"),
        ({"type": ["string", "null"]}, "nullable"),
        ({"anyOf": [TEXT, NULL]}, "nullable"),
        ({"oneOf": [TEXT, NUMBER]}, "any"),
        ({"const": "x"}, "string"),
        ({"enum": ["x", None]}, "nullable"),
        ({"enum": [1, 2]}, "json"),
        ({"$ref": "#/$defs/text"}, "string"),
        ({"$ref": "#/$defs/several/anyOf/1"}, "json"),
        ({"$ref": "#"}, "json"),
        ({"$ref": "#/$defs/nowhere"}, "any"),
        ({"$ref": "#/$defs/circle"}, "any"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_how_a_value_is_written(schema: Any, written: Kind) -> None:
    definitions = {
        "text": TEXT,
        "several": {"anyOf": [TEXT, NUMBER]},
        "circle": {"$ref": "#/$defs/circle"},
    }
    whole = {"type": "object", "properties": {"x": schema}, "$defs": definitions}
    assert kind(whole, "x") == written


def test_a_thousand_ways_through_a_schema_are_not_gone_one_by_one() -> None:
    definitions = {
        f"n{number}": {"anyOf": [{"$ref": f"#/$defs/n{number + 1}"}] * 100}
        for number in range(2000)
    }
    whole = {"properties": {"x": {"$ref": "#/$defs/n0"}}, "$defs": {**definitions, "n2000": TEXT}}
    assert kind(whole, "x") == "string"


def test_a_place_that_is_spelt_in_many_ways_is_one_place() -> None:
    name = "a" * 16
    ways = ["".join(way) for way in product(("a", "%61"), repeat=len(name))]
    places = [{"$ref": f"#/properties/{way}"} for way in ways]
    assert kind({"properties": {name: {"anyOf": [*places, TEXT]}}}, name) == "string"
