"""How tools, calls and results come into a prompt, where the template helps and where it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lmnb.chat.callgrammar import arguments_schema
from lmnb.chat.message import Message, ToolCall
from lmnb.chat.tools import Tool, ToolChoice, callable_tools
from lmnb.errors import InvalidRequest

from .families import FAMILIES, TOOLS, WEATHER
from .languages import Language

CALL = ToolCall("call_0123456789abcdef", "get_weather", '{"city": "Paris", "days": 1}')
CALLED = Message("assistant", "", tool_calls=(CALL,))
ASKED = Message("user", "Weather?")


def prompt(name: str, *messages: Message, tools: tuple[Tool, ...] = TOOLS) -> str:
    family = FAMILIES[name]
    shaped, listed = family.use.prepare(messages, tools)
    return "".join(text for text, _ in family.template.render(shaped, tools=listed))


@pytest.mark.parametrize(
    ("name", "tools", "calls", "results"),
    [
        ("qwen3", True, True, True),
        ("mistral-nemo", True, True, True),
        ("phi-4-mini", True, False, True),
        ("granite-3.3", True, False, True),
        ("deepseek-r1-distill", False, True, True),
        ("smollm2", False, False, False),
        ("gemma-3", False, False, False),
    ],
)
def test_what_a_template_shows_is_seen(name: str, tools: bool, calls: bool, results: bool) -> None:
    use = FAMILIES[name].use
    assert (use.shows_tools, use.shows_calls, use.shows_results) == (tools, calls, results)


@pytest.mark.parametrize("name", ["mistral-nemo", "mistral-small-3.2"])
def test_mistral_gets_ids_of_nine_letters_and_digits_that_belong_together(name: str) -> None:
    result = Message("tool", "sunny", tool_call_id=CALL.id)
    text = prompt(name, ASKED, CALLED, result)
    assert CALL.id not in text
    family = FAMILIES[name]
    messages, _ = family.use.prepare([ASKED, CALLED, result], TOOLS)
    ids = {messages[1].tool_calls[0].id, messages[2].tool_call_id}
    assert len(ids) == 1
    assert all(id is not None and len(id) == 9 and id.isalnum() for id in ids)


def test_a_result_without_an_id_answers_the_call_before_it() -> None:
    """The older `function` role names the function only."""
    calls = (CALL, ToolCall("other", "get_time", "{}"))
    asked = Message("assistant", "", tool_calls=calls)
    messages, _ = FAMILIES["qwen3"].use.prepare(
        [ASKED, asked, Message("tool", "sunny"), Message("tool", "noon")], TOOLS
    )
    answered = [(message.tool_call_id, message.name) for message in messages[2:]]
    assert answered == [(CALL.id, "get_weather"), ("other", "get_time")]


def test_the_callers_system_message_stays_first_and_the_only_one() -> None:
    text = prompt("smollm2", Message("system", "Be brief."), ASKED)
    assert text.count("<|im_start|>system") == 1
    assert text.index("Be brief.") < text.index('"get_weather"')


def test_a_model_without_a_system_role_is_told_in_the_first_turn() -> None:
    text = prompt("gemma-3", Message("system", "Be brief."), ASKED)
    assert text.index("Be brief.") < text.index('"get_weather"') < text.index("Weather?")


def test_results_of_several_calls_are_one_turn_where_the_template_knows_none() -> None:
    results = [Message("tool", text) for text in ("sunny", "noon")]
    text = prompt("smollm2", ASKED, CALLED, *results)
    assert text.count("<tool_response>\nsunny\n</tool_response>\n<tool_response>\nnoon") == 1


def test_instructions_show_the_models_own_form() -> None:
    text = prompt("deepseek-r1-distill", ASKED)
    assert "<｜tool▁call▁begin｜>function<｜tool▁sep｜><function-name>" in text  # noqa: RUF001


def test_phi_finds_its_tools_in_the_system_message() -> None:
    text = prompt("phi-4-mini", ASKED)
    assert text.startswith("<|system|><|tool|>[")
    assert '"get_weather"' in text


def test_without_tools_nothing_changes() -> None:
    for family in FAMILIES.values():
        assert family.use.prepare([ASKED], ()) == ((ASKED,), None)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (ToolChoice(), ["get_weather", "get_time"]),
        (ToolChoice("none"), []),
        (ToolChoice("required", ("get_time",)), ["get_time"]),
    ],
)
def test_what_may_be_called(choice: ToolChoice, names: list[str]) -> None:
    assert [tool.name for tool in callable_tools(TOOLS, choice)] == names


def test_a_tool_shows_templates_all_the_keys_they_rely_on() -> None:
    assert Tool("f").to_json() == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "",
            "parameters": {"type": "object", "properties": {}},
        },
    }
    assert "required" in WEATHER.to_json()["function"]["parameters"]


def test_a_reference_to_nothing_says_nothing_where_a_tool_is_not_strict() -> None:
    """LiteLLM sends the second kind to Anthropic's API, which does not look."""
    numbers = {"type": "array", "items": {"type": "integer"}}
    places = {"a": {"$ref": "#/$defs/gone"}, "b": {"$ref": "/$defs/n"}}
    tool = Tool("f", parameters={"$defs": {"n": numbers}, "properties": places, "required": ["b"]})
    texts = Language("start: %json " + json.dumps(arguments_schema(tool)))
    assert '{"a": "x", "b": [1]}' in texts
    assert '{"b": ["x"]}' not in texts
    with pytest.raises(InvalidRequest, match="gone"):
        arguments_schema(replace(tool, strict=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_whatever_agents_send_reaches_the_model(name: str) -> None:
    """Claude Code's turns: late system messages, parallel calls, words beside results. Some
    templates refuse them, some drop them; what is said before calls many know nothing of."""
    calls = tuple(
        replace(CALL, id=f"call_{city}", arguments=_in(city)) for city in ("Paris", "Rome")
    )
    said = prompt(
        name,
        Message("system", "Be kind."),
        ASKED,
        Message("system", "Be quick."),
        Message("assistant", "I look.", tool_calls=calls),
        Message("tool", "sunny", "get_weather", tool_call_id="call_Paris"),
        Message("tool", "rainy", "get_weather", tool_call_id="call_Rome"),
        Message("user", "Go on."),
        Message("system", "Be brief."),
    )
    wanted = ("Be kind.", "Weather?", "Be quick.", "Paris", "Rome", "sunny", "rainy", "Go on.")
    assert [text for text in (*wanted, "Be brief.") if text not in said] == []


def _in(city: str) -> str:
    return json.dumps({"city": city, "days": 1})
