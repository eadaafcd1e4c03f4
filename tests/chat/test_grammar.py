"""Every way of saying what a reply shall be becomes a grammar of exactly those replies."""

import json

import pytest

from lmnb.chat.grammar import ResponseFormat, either, grammar
from lmnb.errors import InvalidRequest

from .languages import Language


def language(kind, value=None, **options):
    return Language(grammar(ResponseFormat(kind, value), **options))


def test_an_object_without_free_white_space():
    objects = language("json_object")
    for text in ("{}", '{"a": [1, null], "b": {}}', '{"a":1,"b":2}'):
        assert text in objects
        json.loads(text)
    for text in ("[]", '"a"', '{ "a": 1}', '{"a":\n1}', '{"a": 1', ""):
        assert text not in objects


def test_a_schema():
    schema = {"type": "array", "items": {"enum": ["a", 1]}, "minItems": 1, "maxItems": 2}
    arrays = language("json_schema", schema)
    assert '["a", 1]' in arrays
    assert "[]" not in arrays
    assert '["b"]' not in arrays


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^\d{3}/[a-z]+$", "123/abc", "12/abc"),
        (r"^(yes|no)\$", "no$", "no"),
        (r"a\nb", "a\nb", "ab"),
        ("(?i)yes", "YeS", "no"),
        (r"[\"'\\]", "\\", "a"),
        (r"a\\$", "a\\", "a"),
        (r"\d", "1", "\u0661"),
    ],
)
def test_a_regex_matches_the_whole_reply(pattern, good, bad):
    assert good in language("regex", pattern)
    assert bad not in language("regex", pattern)


def test_choices_are_taken_literally():
    choices = ["a", "ab", "a/b", 'ä😀\n"\\', "\0\x1f\x7f", "{}", "|", *map(str, range(3000))]
    chosen = language("choice", choices)
    assert all(choice in chosen for choice in choices)
    assert "b" not in chosen
    assert "aab" not in chosen


def test_lark_is_taken_as_it_is():
    assert "x12" in language("lark", 'start: "x" n\nn: /[0-9]+/')


@pytest.mark.parametrize(
    ("kind", "value", "reply"),
    [
        ("json_object", None, "{}"),
        ("choice", ["x", "y"], "x"),
        ("regex", "x|y", "x"),
        ("lark", 'start: answer\nanswer: "x"', "x"),
        ("gbnf", 'root ::= "x"', "x"),
    ],
)
def test_after_thinking_a_reply_may_begin_on_a_new_line(kind, value, reply):
    replies = language(kind, value, after_thinking=True)
    assert all(lead + reply in replies for lead in ("", "\n", "\n\n"))
    assert "\n\n\n" + reply not in replies
    assert "\n" + reply not in language(kind, value)


def test_a_call_or_an_answer():
    both = Language(either('start: "call"', ResponseFormat("choice", ["a", "b"])))
    assert "call" in both
    assert "a" in both
    assert "calla" not in both


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("json_schema", {"not": {}}, "'not'"),
        ("json_schema", [], "object"),
        ("choice", [], "choose"),
        ("choice", "ab", "choose"),
        ("choice", [1], "string"),
        ("regex", "", "empty"),
        ("regex", "a" * 300_000, "262144"),
        ("gbnf", 'foo ::= "a"', "'root'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_clients_word_for_the_field(kind, value, why):
    with pytest.raises(InvalidRequest, match=why) as caught:
        grammar(ResponseFormat(kind, value, param="guided_thing"))
    assert caught.value.param == "guided_thing"
    assert "guided_thing" in caught.value.message
