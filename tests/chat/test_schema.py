"""Schemas are enforced as they stand, or refused by name."""

import datetime
import json

import pytest

from lmnb.chat import schema
from lmnb.chat.grammar import ResponseFormat, grammar
from lmnb.errors import InvalidRequest

from .languages import Language


def documents(wanted):
    return Language(grammar(ResponseFormat("json_schema", wanted)))


def dumped(value):
    return json.dumps(value, separators=(",", ":"))


OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}


@pytest.mark.parametrize(
    "keyword",
    [
        {"not": {"type": "string"}},
        {"if": {}, "then": {}},
        {"contains": {}},
        {"uniqueItems": True},
        {"propertyNames": {"maxLength": 3}},
        {"dependentRequired": {"a": ["b"]}},
        {"unevaluatedProperties": False},
        {"$dynamicRef": "#a"},
        {"type": "string", "format": "iri"},
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_name_and_place(keyword):
    name = next(iter(keyword)) if "format" not in keyword else "format"
    with pytest.raises(InvalidRequest) as caught:
        schema.ready({"type": "object", "properties": {"x": {"items": keyword}}})
    assert f"'{name}'" in caught.value.message.replace("$", "$")
    assert "properties.x.items" in caught.value.message


def test_keywords_that_say_nothing_are_no_reason_to_refuse():
    empty = {"uniqueItems": False, "then": {}, "minContains": 1, "unevaluatedItems": True}
    assert "[]" in documents({"type": "array", **empty})


@pytest.mark.parametrize("names", [{"enum": ["a", "b"]}, {"pattern": "^[ab]$"}])
def test_names_of_properties(names):
    wanted = {"propertyNames": names, "additionalProperties": {"type": "integer"}}
    texts = documents({"type": "object", **wanted})
    assert '{"a": 1, "b": 2}' in texts
    assert '{"c": 1}' not in texts
    assert '{"a": "x"}' not in texts


def test_a_word_in_a_value_is_no_keyword():
    texts = documents({"enum": [{"not": 1}, {"format": "iri"}]})
    assert '{"not":1}' in texts


def test_an_object_that_lists_its_properties_has_no_others():
    assert '{"a": 1}' in documents(OBJECT)
    assert '{"a": 1, "b": 2}' not in documents(OBJECT)


@pytest.mark.parametrize(
    ("wanted", "document"),
    [
        ({**OBJECT, "additionalProperties": True}, {"a": 1, "b": 2}),
        ({**OBJECT, "required": ["a", "b"]}, {"a": 1, "b": 2}),
        ({"type": "object"}, {"b": 2}),
        ({"allOf": [OBJECT, {"properties": {"b": {}}, "required": ["b"]}]}, {"a": 1, "b": 2}),
        ({**OBJECT, "anyOf": [{"required": ["b"]}]}, {"a": 1, "b": 2}),
        ({"$defs": {"o": OBJECT}, "$ref": "#/$defs/o", "required": ["b"]}, {"a": 1, "b": 2}),
        ({**OBJECT, "minProperties": 2}, {"a": 1, "b": 2}),
    ],
)
def test_unless_the_schema_wants_more(wanted, document):
    assert dumped(document) in documents(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"oneOf": [CAT, DOG]},
        {
            "oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}],
            "$defs": {"cat": CAT, "dog": DOG},
        },
        {"oneOf": [CAT, {"type": "null"}, {"enum": ["x", "y"]}, {"const": "z"}]},
    ],
)
def test_one_of_branches_that_exclude_one_another(wanted):
    assert dumped({"kind": "cat"}) in documents(wanted)


def test_one_of_branches_that_overlap_are_refused_by_llguidance():
    wanted = schema.ready({"oneOf": [{"type": "integer"}, {"type": "number"}]})
    assert "oneOf" in wanted
    with pytest.raises(AssertionError, match="oneOf"):
        documents(wanted)


def test_dates_are_dates_of_the_calendar():
    dates = documents({"type": "string", "format": "date"})
    day = datetime.date(1896, 1, 1)
    while day.year < 1905:
        assert f'"{day}"' in dates
        day += datetime.timedelta(1)
    for wrong in (
        "1900-02-29",
        "2023-02-29",
        "2024-02-30",
        "2024-04-31",
        "0000-01-01",
        "2024-13-01",
    ):
        assert f'"{wrong}"' not in dates
    for leap in ("2024-02-29", "2000-02-29", "0400-02-29"):
        assert f'"{leap}"' in dates


def test_times_are_those_that_python_reads():
    times = documents({"type": "string", "format": "date-time"})
    for text in ("2024-02-29T23:59:59Z", "2024-01-01T00:00:00.123456+01:00"):
        datetime.datetime.fromisoformat(text)
        assert f'"{text}"' in times
    for text in ("2024-01-01 00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z"):
        assert f'"{text}"' not in times


def test_a_format_and_a_pattern_both_hold():
    times = documents({"type": "string", "format": "time", "pattern": "^12:"})
    assert '"12:00:00Z"' in times
    assert '"13:00:00Z"' not in times


def test_formats_that_json_schema_does_not_know_are_notes():
    assert '"x"' in documents({"type": "string", "format": "password"})
    assert "5" in documents({"type": "integer", "format": "int64"})


def test_a_clients_own_options_for_llguidance_are_not_taken():
    with pytest.raises(InvalidRequest, match="not"):
        schema.ready({"x-guidance": {"lenient": True}, "not": {}})
    assert schema.ready({"x-guidance": {"lenient": True}})["x-guidance"] == schema.STYLE


def test_a_true_schema_is_any_document_and_the_original_is_not_changed():
    assert "[1]" in documents(True)
    wanted = json.loads(dumped(OBJECT))
    schema.ready(wanted)
    assert wanted == OBJECT
