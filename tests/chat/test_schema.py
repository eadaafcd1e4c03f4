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
        {"type": "array", "items": {"enum": [1, 2, 3, 4, 5, 6]}, "uniqueItems": True},
        {"propertyNames": {"maxLength": 3, "pattern": "a"}},
        {"dependentRequired": {"a": ["b"]}},
        {"unevaluatedProperties": False, "allOf": [{}]},
        {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        {"divisibleBy": 2},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#/anyOf/" + "9" * 5000},
        {"$dynamicRef": "#a"},
        {"type": "string", "format": "regex"},
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_name_and_place(keyword):
    name = next(name for name in keyword if name not in ("type", "items"))
    with pytest.raises(InvalidRequest) as caught:
        schema.ready({"type": "object", "properties": {"x": {"items": keyword}}})
    assert f"'{name}'" in caught.value.message
    assert "properties.x.items" in caught.value.message


def test_keywords_that_say_nothing_are_no_reason_to_refuse():
    empty = {"uniqueItems": False, "then": {}, "minContains": 1, "unevaluatedItems": True}
    assert "[]" in documents({"type": "array", **empty})


@pytest.mark.parametrize(
    "names",
    [
        {"enum": ["a", "b"]},
        {"pattern": "^[ab]$"},
        {"$ref": "#/$defs/names"},
        {"minLength": 1, "maxLength": 1},
    ],
)
def test_names_of_properties(names):
    wanted = {"propertyNames": names, "additionalProperties": {"type": "integer"}}
    texts = documents({"type": "object", **wanted, "$defs": {"names": {"enum": ["a", "b"]}}})
    assert '{"a": 1, "b": 2}' in texts
    assert '{"cd": 1}' not in texts
    assert '{"a": "x"}' not in texts


def test_names_of_a_format():
    texts = documents({"propertyNames": {"format": "date"}, "type": "object"})
    assert '{"2024-02-29": 1}' in texts
    assert '{"2023-02-29": 1}' not in texts


def test_an_object_whose_names_have_patterns_has_no_others():
    texts = documents({"type": "object", "patternProperties": {"^a+$": {"type": "integer"}}})
    assert '{"a": 1, "aa": 2}' in texts
    assert '{"b": 1}' not in texts


def test_a_few_values_that_come_once_each():
    items = {"items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 1, "maxItems": 2}
    texts = documents({"type": "array", **items})
    assert all(text in texts for text in ('["a"]', '["c", "a"]', '["b","c"]'))
    assert not any(text in texts for text in ("[]", '["a", "a"]', '["a", "b", "c"]'))


def test_what_is_unevaluated_where_nothing_else_evaluates_is_what_is_additional():
    wanted = {"type": "object", "properties": {"a": {}}, "minProperties": 0}
    texts = documents({**wanted, "unevaluatedProperties": False})
    assert '{"a": 1}' in texts
    assert '{"b": 1}' not in texts
    texts = documents({"type": "array", "prefixItems": [{}], "unevaluatedItems": False})
    assert "[1]" in texts
    assert "[1, 2]" not in texts


def test_whole_numbers_may_be_written_with_a_point():
    texts = documents({"type": "array", "items": {}, "maxItems": 2.0})
    assert "[1, 2]" in texts
    assert "[1, 2, 3]" not in texts


@pytest.mark.parametrize("pattern", ['^[^"]*$', r'^[^"\\]+$', r"^[^\x22]*$", r"^[\x00-!#-\x7f]*$"])
def test_what_a_class_leaves_out_does_not_come_escaped(pattern):
    texts = documents({"type": "string", "pattern": pattern})
    assert '"a/b"' in texts
    assert r'"a\"b"' not in texts
    names = documents({"type": "object", "patternProperties": {pattern: {}}})
    assert '{"a/b": 1}' in names
    assert r'{"a\"b": 1}' not in names


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^[^-a]+$", "b", "-"),
        (r"^[^\]a]+$", "b", "]"),
        (r"^\[[^a]$", "[b", "[a"),
        (r"^[^a]\\[^b]$", r"x\\y", r"a\\y"),
    ],
)
def test_classes_mean_what_they_say(pattern, good, bad):
    texts = documents({"type": "string", "pattern": pattern})
    assert f'"{good}"' in texts
    assert f'"{bad}"' not in texts


def test_decimals_of_pydantics():
    texts = documents({"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"})
    assert all(text in texts for text in ('"1"', '"-0.50"', '".5"', '"7."'))
    assert not any(text in texts for text in ('""', '"."', '"-"', '"+."', '"1e5"'))


@pytest.mark.parametrize(
    ("name", "fine", "wrong"),
    [
        ("json-pointer", ["", "/", "/a~0b/~1", "/ä b"], ["a", "/~", "/~2"]),
        ("relative-json-pointer", ["0", "1/a", "21#"], ["", "01", "/a", "0##", "-1"]),
        (
            "uri-reference",
            ["", "/a/b?c#d", "a/b:c", "//host/x", "https://a.b:80/%C3%A4?q=1", "#x", "?a"],
            ["a b", "%zz", "a:b", "\\\\x", "//", "ä"],
        ),
        ("iri-reference", ["/a"], ["a b"]),
        ("idn-email", ["a@b.de"], ["a"]),
        ("iri", ["https://a.b/c"], ["/a"]),
    ],
)
def test_formats_that_patterns_say(name, fine, wrong):
    texts = documents({"type": "string", "format": name})
    assert [text for text in fine if json.dumps(text, ensure_ascii=False) not in texts] == []
    assert [text for text in wrong if json.dumps(text, ensure_ascii=False) in texts] == []


def test_names_of_hosts():
    hosts = documents({"type": "string", "format": "hostname"})
    label = "a" * 63
    fine = ("a", "example.com", "a-b.c1", "1.2", "ab-c", "a--b", label, ".".join([label] * 3))
    wrong = ("", "-a", "a-", "a..b", "xn--ls8h", "ab--c", label + "a", ".".join([label] * 4))
    assert all(f'"{host}"' in hosts for host in fine)
    assert not any(f'"{host}"' in hosts for host in wrong)


def test_a_word_in_a_value_is_no_keyword():
    texts = documents({"enum": [{"not": 1}, {"format": "iri"}]})
    assert '{"not":1}' in texts


def test_what_can_never_be_is_not_there():
    properties = {"a": {"type": "integer"}, "b": {"not": {}}, "c": {"anyOf": [{"not": {}}, {}]}}
    texts = documents({"type": "object", "properties": properties})
    assert '{"a": 1, "c": 2}' in texts
    assert '{"a": 1, "b": 2}' not in texts
    assert "5" in documents({"not": False})


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
        {"oneOf": [CAT, {"type": "integer", "maximum": 5}, {"type": "number", "minimum": 6}]},
        {"oneOf": [CAT, {"type": "string", "maxLength": 5}, {"type": "string", "minLength": 6}]},
        {"oneOf": [CAT, OBJECT]},
        {"oneOf": [CAT, {**OBJECT, "additionalProperties": False}], "anyOf": [{"type": "object"}]},
    ],
)
def test_one_of_branches_that_exclude_one_another(wanted):
    assert dumped({"kind": "cat"}) in documents(wanted)


def test_what_stands_around_one_of_tells_its_branches_apart():
    shapes = [
        {"properties": {"kind": {"const": "cat"}}, "required": ["lives"]},
        {"properties": {"kind": {"const": "dog"}}},
    ]
    around = {"type": "object", "properties": {"kind": {}, "lives": {}}, "required": ["kind"]}
    texts = documents({**around, "additionalProperties": False, "oneOf": shapes})
    assert '{"kind": "dog"}' in texts
    assert '{"kind": "cat", "lives": 9}' in texts
    assert '{"kind": "cat"}' not in texts


def test_branches_that_require_different_things_are_kept_apart():
    sizes = [{"required": ["r"]}, {"required": ["w", "h"]}]
    shape = {"type": "object", "properties": {"r": {}, "w": {}, "h": {}}, "oneOf": sizes}
    texts = documents({**shape, "additionalProperties": False})
    assert '{"r": 1}' in texts
    assert '{"w": 1, "h": 2}' in texts
    assert not any(text in texts for text in ("{}", '{"w": 1}', '{"r": 1, "w": 1, "h": 2}'))


def test_many_branches_are_listed_texts_or_too_many():
    texts = documents({"oneOf": [{"const": f"c{number}"} for number in range(1000)]})
    assert '"c999"' in texts
    assert '"c1000"' not in texts
    for branch in ({"const": "c0"}, {"type": "integer"}):
        with pytest.raises(InvalidRequest, match="'oneOf'"):
            schema.ready({"oneOf": [branch, *({"const": f"c{number}"} for number in range(1000))]})


def test_a_reference_into_a_list():
    texts = documents({"prefixItems": [{"const": 1}, {"$ref": "#/prefixItems/0"}], "items": False})
    assert "[1, 1]" in texts
    assert "[1, 2]" not in texts


@pytest.mark.parametrize(
    "branches",
    [
        [{"type": "integer"}, {"type": "number"}],
        [{"type": "integer", "maximum": 5}, {"type": "number", "minimum": 5}],
        [OBJECT, {**OBJECT, "properties": {"a": {}, "b": {}}, "required": ["a", "b"]}],
        [{"type": "boolean", "maximum": 1}, {"type": "boolean", "minimum": 2}],
        [{"type": "array", "items": CAT}, {"type": "array", "items": DOG}],
    ],
)
def test_one_of_branches_that_may_overlap_are_refused(branches):
    with pytest.raises(InvalidRequest, match=r"'oneOf' \(in its root\).*use 'anyOf'"):
        schema.ready({"oneOf": branches})


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


@pytest.mark.parametrize("type", ["integer", ["integer", "null"]])
def test_an_integer_comes_to_an_end(type):
    texts = documents({"type": type})
    assert str(2**62) in texts
    assert str(-(2**62)) in texts
    assert "1" * 30 not in texts
    positive = documents({"type": type, "exclusiveMinimum": 0})
    assert "7" in positive
    assert "0" not in positive
    assert "1" * 30 not in positive
