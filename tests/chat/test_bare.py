"""Gemma 4's arguments: keys without quotes, strings between marks of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmnb.chat.bare import BareArguments, bare_rules

from .test_tool_formats import accepts

Q = '<|"|>'


def read(*chunks: str) -> tuple[str, str]:
    """(JSON, what was left) of arguments that come in `chunks`."""
    reader, held, json_, over = BareArguments(Q), "", "", False
    for chunk in chunks:
        held += chunk
        if not over:
            out, used, over = reader.take(held)
            json_, held = json_ + out, held[used:]
    if not over:
        out, used = reader.finish(held)
        json_, held = json_ + out, held[used:]
    return json_, held


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("}", {}),
        (f"a:{Q}x{Q}}}", {"a": "x"}),
        (f'a:{Q}"q" \\ \n{{,}}{Q}}}', {"a": '"q" \\ \n{,}'}),
        ("a:1,b:-2.5e3,c:true,d:null}", {"a": 1, "b": -2500.0, "c": True, "d": None}),
        (f"a:[{Q}x{Q},{Q}y{Q}],b:[]}}", {"a": ["x", "y"], "b": []}),
        (f"a:{{b:{{{Q}c{Q}:1}}}}}}", {"a": {"b": {"c": 1}}}),
        ("a : 1 , b: word}", {"a": 1, "b": "word"}),
    ],
)
def test_they_become_json_however_they_are_cut(text: str, value: Any) -> None:
    for chunks in ([text], text, [text[:3], text[3:]]):
        json_, left = read(*chunks)
        assert json.loads(json_) == value
        assert left == "}"


def test_strings_come_as_they_are_generated() -> None:
    assert read(f"a:{Q}Par") == ('{"a": "Par', "")


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string"},
        "b": {"type": "array", "items": {"type": "integer"}},
        "c": {"$ref": "#/$defs/place"},
        "d": {},
    },
    "required": ["b"],
    "$defs": {
        "place": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    },
}


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("b:[1,2]", True),
        (f"a:{Q}x{Q},b:[]", True),
        ("b:[1],c:{x:1.5}", True),
        (f"b:[1],d:{{k:[{Q}x{Q},true]}}", True),
        (f"a:{Q}x{Q}", False),
        (f"b:[{Q}x{Q}]", False),
        ("b:[1],c:{}", False),
        ("b:[1],e:1", False),
        ("", False),
    ],
)
def test_the_grammar_follows_the_schema(text: str, valid: bool) -> None:
    grammar = "\n".join(["start: args", *bare_rules(SCHEMA, Q, None, "args")])
    assert accepts(grammar, text) == valid


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ["1", "null"], [f"{Q}x{Q}", "true"]),
        ({"type": ["string", "null"]}, [f"{Q}x{Q}", "null"], ["1"]),
        ({"enum": ["a", 1, None]}, [f"{Q}a{Q}", "1", "null"], ["a", "2", f"{Q}1{Q}"]),
        ({"const": True}, ["true"], ["false"]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, ["[1]", "[1,2]"], ["[]", "[1,2,3]"]),
        ({"type": "array", "minItems": 2}, ["[1,2]", "[1,2,3]"], ["[]", "[1]"]),
        ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
        ({"oneOf": [{"$ref": "#"}, {"type": "null"}]}, ["null", "{}", "{x:null}"], ["1"]),
        ({"type": "object"}, ["{}", f"{{a:1,b:{Q}x{Q}}}"], ["1", "[]"]),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            ["{}", "{a:1}"],
            [f"{{a:{Q}x{Q}}}"],
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}},
                "anyOf": [{"required": ["a"]}],
            },
            ["{a:1}"],
            ["{b:1}", "1"],
        ),
    ],
)
def test_a_value_is_one_of_what_its_schema_lists(
    schema: dict[str, Any], valid: list[str], invalid: list[str]
) -> None:
    rules = bare_rules({"properties": {"x": schema}}, Q, None, "args")
    grammar = "\n".join(["start: args", *rules])
    assert [text for text in valid + invalid if accepts(grammar, f"x:{text}")] == valid


def test_a_schema_may_refer_to_itself() -> None:
    """In a hundred places, too, without a rule for each way through them."""
    places = {f"p{number}": {"$ref": "#"} for number in range(100)}
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}, **places}}
    rules = bare_rules(node, Q, None, "args")
    assert len(rules) < 1000
    grammar = "\n".join(["start: args", *rules])
    assert accepts(grammar, "next:{next:{p7:{}}}")
    assert not accepts(grammar, "next:{next:{q:{}}}")


def test_references_may_lead_far_and_in_circles() -> None:
    chain = {
        f"n{number}": {"type": "object", "properties": {"x": {"$ref": f"#/$defs/n{number + 1}"}}}
        for number in range(2000)
    }
    far = {"$defs": chain, "properties": {"x": {"$ref": "#/$defs/n0"}}}
    assert 2000 < len(bare_rules(far, Q, None, "args")) < 30_000
    circle = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    properties = {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/b"}}
    rules = bare_rules({"$defs": circle, "properties": properties}, Q, None, "args")
    assert accepts("\n".join(["start: args", *rules]), "x:[1],y:{z:1}")
