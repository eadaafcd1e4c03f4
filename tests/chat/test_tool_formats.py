"""Real templates: the form of calls is learnt, read, written and enforced as the model has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from lmnb.chat.callgrammar import call_grammar
from lmnb.chat.calls import CallReader
from lmnb.chat.deltas import Call, Content, Delta
from lmnb.chat.message import Message, ToolCall
from lmnb.chat.tools import Tool
from lmnb.errors import InvalidRequest

from .families import CALLS, FAMILIES, TIME, TOOLS, WEATHER, Family

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def read(family: Family, *chunks: str) -> tuple[str, list[tuple[str, str]]]:
    """(content, [(name, arguments)]) of an answer that comes in `chunks`."""
    reader = CallReader(family.use.format, TOOLS)
    deltas = [delta for chunk in chunks for delta in reader.feed(chunk)] + reader.finish()
    return joined(deltas)


def joined(deltas: list[Delta]) -> tuple[str, list[tuple[str, str]]]:
    content, calls = "", list[list[str]]()
    for delta in deltas:
        if isinstance(delta, Call):
            assert (delta.name is not None) == (delta.index == len(calls))
            if delta.name is not None:
                calls.append([delta.name, ""])
            calls[delta.index][1] += delta.text
        else:
            assert isinstance(delta, Content) and delta.text
            content += delta.text
    return content, [(name, arguments) for name, arguments in calls]


def parsed(calls: list[tuple[str, str]] | tuple[ToolCall, ...]) -> list[tuple[str, Any]]:
    pairs = [(c.name, c.arguments) if isinstance(c, ToolCall) else c for c in calls]
    return [(name, json.loads(arguments)) for name, arguments in pairs]


def test_definitions_are_written_out_for_parameters_that_refer_to_them_within_limits() -> None:
    """For hundreds of parameters, those of one request would make a grammar of many megabytes."""
    family = FAMILIES["qwen3-coder"]

    def grammar(count: int) -> str:
        definitions = {f"d{number}": {"enum": ["x" * 1000]} for number in range(count)}
        everything = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in definitions]}
        places = {f"p{number}": everything for number in range(count)}
        schema = {"$defs": definitions, "properties": {**places, "days": {"type": "integer"}}}
        return call_grammar(
            family.use.format,
            [Tool("f", parameters=schema)],
            after_lead=False,
            parallel=False,
            tokens={},
        )

    assert len(grammar(5)) < 5 * 6 * 1000 * 2
    with pytest.raises(InvalidRequest, match="too long to be written out for each parameter"):
        grammar(80)


@families
def test_calls_are_written_as_the_model_writes_them(family: Family) -> None:
    assert family.use.format.write(family.calls) == family.written


@families
def test_calls_are_read_whole_and_character_by_character(family: Family) -> None:
    for chunks in ([family.written], family.written):
        content, calls = read(family, *chunks)
        assert parsed(calls) == parsed(family.calls)
        assert content == ""


@families
def test_text_around_calls_is_content(family: Family) -> None:
    content, calls = read(family, f"Let me see.\n\n{family.written}\nDone.")
    assert content == "Let me see.Done."
    assert parsed(calls) == parsed(family.calls)


@families
def test_arguments_come_as_they_are_generated(family: Family) -> None:
    """Everything up to the middle of the first string is known before its end has come."""
    at = family.written.index("dź")
    reader = CallReader(family.use.format, TOOLS)
    _, calls = joined(reader.feed(family.written[:at]))
    assert calls == [("get_weather", '{"city": "Łó')]


@families
def test_a_call_of_no_known_tool_is_content(family: Family) -> None:
    text = family.written.replace("get_weather", "rm_rf")
    content, calls = read(family, text)
    assert calls == []
    assert content == text


@families
def test_what_only_looks_like_a_call_is_content(family: Family) -> None:
    for lead in family.use.format.leads:
        for text in (lead, f"{lead} nothing", f"a {lead}", f"{lead}{lead}", lead[:-1]):
            assert read(family, *text) == (text, [])


@families
def test_a_call_cut_off_in_its_arguments_keeps_what_came(family: Family) -> None:
    at = family.written.index("Łódź") + 2
    content, calls = read(family, family.written[:at])
    assert content == ""
    assert calls == [("get_weather", '{"city": "Łó')]


pieces = st.sampled_from(
    ["get_weather", "get_time", "{", "}", "[", "]", '"', "\n", " ", "x", "<", ">", '{"city": "a"}']
)


@families
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_how_the_text_is_cut_does_not_matter(family: Family, data: st.DataObject) -> None:
    """Calls, halves of calls and noise, cut anywhere, say the same as in one piece."""
    form, text = family.use.format, family.written
    own = [form.leads[0], form.open, form.middle, form.close, form.start, form.end, form.separator]
    some = st.lists(pieces | st.sampled_from([*own, text, text[: len(text) // 3]]), max_size=8)
    reply = "".join(data.draw(some))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=6)))
    chunks = [reply[a:b] for a, b in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    whole = read(family, reply)
    assert read(family, *chunks) == whole
    assert read(family, *reply) == whole


@families
def test_the_template_itself_shows_calls_and_results(family: Family) -> None:
    """A whole turn with a tool comes back into the prompt, whatever the template knows of tools."""
    conversation = [
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=(ToolCall("call_0123456789abcdef", *_call()),)),
        Message("tool", "sunny, 21 degrees", tool_call_id="call_0123456789abcdef"),
    ]
    messages, tools = family.use.prepare(conversation, TOOLS)
    prompt = "".join(text for text, _ in family.template.render(messages, tools=tools))
    for text in ("Weather?", "Łódź", "sunny, 21", "get_time", "The weather of"):
        assert text in prompt


def _call() -> tuple[str, str]:
    return CALLS[0].name, CALLS[0].arguments


class _Bytes:
    """A vocabulary of bytes."""

    eos_token_id, bos_token_id = 256, None
    tokens = (*(bytes([byte]) for byte in range(256)), b"\xff<eos>")
    special_token_ids = (256,)

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


TOKENIZER = LLTokenizer(TokenizerWrapper(_Bytes()))


def accepts(grammar: str, text: str) -> bool:
    matcher = LLMatcher(TOKENIZER, grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    data = list(text.encode())
    return matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting()


@families
def test_the_grammar_takes_valid_calls_only(family: Family) -> None:
    form = family.use.format
    grammar = call_grammar(form, TOOLS, after_lead=False, parallel=True, tokens={})
    assert accepts(grammar, family.written)
    assert not accepts(grammar, family.written.replace("get_weather", "get_weathers"))
    assert not accepts(grammar, form.write([ToolCall("", "get_weather", '{"city": "x"}')]))
    assert not accepts(grammar, form.write([ToolCall("", "get_time", '{"days": 3}')]))
    for days in ('"three"', "3.5"):
        arguments = f'{{"city": "x", "days": {days}}}'
        assert not accepts(grammar, form.write([ToolCall("", "get_weather", arguments)]))


@families
@pytest.mark.parametrize("strict", [True, False])
def test_what_parameters_refer_to_may_be_anywhere_in_the_schema(
    family: Family, strict: bool
) -> None:
    """As Zod writes trees, and whatever it has written before."""
    size = {"type": "array", "items": {"type": "integer"}}
    branches = {"type": "array", "items": {"$ref": "#"}}
    properties = {"size": size, "first": {"$ref": "#/properties/size"}, "branches": branches}
    tree = {
        "type": "object",
        "properties": properties,
        "required": ["size"],
        "additionalProperties": False,
    }
    tool = Tool("get_weather", parameters=tree, strict=strict)
    form = family.use.format
    grammar = call_grammar(form, [tool], after_lead=False, parallel=False, tokens={})

    def takes(**arguments: object) -> bool:
        return accepts(grammar, form.write([ToolCall("", tool.name, json.dumps(arguments))]))

    assert takes(size=[1], first=[2], branches=[{"size": [], "branches": [{"size": [3]}]}])
    assert not takes(size=[1], first=["x"])
    assert not takes(size=[1], branches=[{"size": [], "branches": [[]]}])


@families
def test_texts_that_are_listed_somewhere_are_the_only_ones(family: Family) -> None:
    """As Pydantic writes an enumeration, and one that need not be given."""
    colour = {"$ref": "#/$defs/Colour"}
    properties = {
        "first": colour,
        "second": {"anyOf": [colour, {"type": "null"}]},
        "third": {"enum": ["red", None]},
        "fourth": {"const": "blue"},
    }
    schema = {
        "type": "object",
        "properties": properties,
        "$defs": {"Colour": {"type": "string", "enum": ["red", "green"]}},
    }
    tool = Tool("get_weather", parameters=schema)
    form = family.use.format
    grammar = call_grammar(form, [tool], after_lead=False, parallel=False, tokens={})

    def takes(**arguments: str | None) -> bool:
        return accepts(grammar, form.write([ToolCall("", tool.name, json.dumps(arguments))]))

    assert takes(first="green", second="red", third="red", fourth="blue")
    assert takes(second=None, third=None)
    written = form.write([ToolCall("", tool.name, '{"first": "green"}')])
    for spaced in ("\n\ngreen", "green\n\n"):
        assert not accepts(grammar, written.replace("green", spaced))
    for key in properties:
        assert not takes(**{key: "purple"})
    assert not takes(first=None)


@families
def test_what_is_required_may_be_of_no_known_kind(family: Family) -> None:
    some: dict[str, object] = {"type": "object", "properties": {}, "required": ["x"]}
    tool = Tool("get_weather", parameters={"type": "object", "properties": {"place": some}})
    form = family.use.format
    grammar = call_grammar(form, [tool], after_lead=False, parallel=False, tokens={})
    assert accepts(grammar, form.write([ToolCall("", tool.name, '{"place": {"x": 1}}')]))


@families
def test_without_parallel_calls_the_grammar_takes_one(family: Family) -> None:
    form = family.use.format
    grammar = call_grammar(form, TOOLS, after_lead=False, parallel=False, tokens={})
    assert accepts(grammar, form.write(CALLS[:1]))
    assert not accepts(grammar, form.write(CALLS))


@families
def test_a_begun_call_is_held_to_its_grammar(family: Family) -> None:
    form = family.use.format
    grammar = call_grammar(form, [WEATHER, TIME], after_lead=True, parallel=True, tokens={})
    rest = form.write(CALLS[:1]).lstrip()[len(form.leads[0]) :]
    assert accepts(grammar, rest)
    assert not accepts(grammar, rest.replace("get_weather", "get"))
