"""Function tools on chat completions, with an engine that writes what it is told to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.scripted import Script

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "description": None}}
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
OTHER = '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>'


def says(api: Api, *texts: str) -> None:
    api.script(Script(texts=texts))


async def ask(api: Api, **fields: Any) -> dict[str, Any]:
    return (await api.chat(tools=[WEATHER, TIME], **fields)).json()


async def deltas(api: Api, **fields: Any) -> tuple[list[dict[str, Any]], str]:
    """The deltas of a streamed answer, and why it ended."""
    *chunks, done = await api.chat_events(tools=[WEATHER, TIME], **fields)
    assert done == "[DONE]"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    return [choice["delta"] for choice in choices], choices[-1]["finish_reason"]


async def test_a_call_is_a_message_without_content(api: Api) -> None:
    says(api, CALL)
    (choice,) = (await ask(api))["choices"]
    (call,) = choice["message"].pop("tool_calls")
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": None}
    assert choice["finish_reason"] == "tool_calls"
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}


async def test_an_answer_without_calls_has_no_such_key(api: Api) -> None:
    (choice,) = (await ask(api))["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello, world!", "refusal": None}
    assert choice["finish_reason"] == "stop"


async def test_content_beside_a_call_is_kept(api: Api) -> None:
    says(api, "Let me look.\n\n", CALL)
    (choice,) = (await ask(api))["choices"]
    assert choice["message"]["content"] == "Let me look."
    assert len(choice["message"]["tool_calls"]) == 1


async def test_several_calls_have_ids_of_their_own(api: Api) -> None:
    says(api, CALL, "\n", OTHER)
    calls = (await ask(api))["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["get_weather", "get_time"]
    assert len({call["id"] for call in calls}) == 2


async def test_streamed_calls_say_name_and_id_once_and_arguments_as_they_come(api: Api) -> None:
    says(api, *CALL, "\n", *OTHER)
    pieces, reason = await deltas(api)
    assert reason == "tool_calls"
    assert pieces[0] == {"role": "assistant", "content": ""}
    assert pieces[-1] == {}
    calls = [call for piece in pieces[1:-1] for call in piece["tool_calls"]]
    assert all(len(piece["tool_calls"]) == 1 and len(piece) == 1 for piece in pieces[1:-1])
    first = [call for call in calls if call["index"] == 0]
    id = first[0].pop("id")
    assert id.startswith("call_")
    assert first[0] == {
        "index": 0,
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    assert all(call.keys() == {"index", "function"} for call in first[1:])
    assert all(call["function"].keys() == {"arguments"} for call in first[1:])
    assert "".join(call["function"]["arguments"] for call in first) == '{"city": "Paris"}'
    assert len(first) > 10
    assert [call["index"] for call in calls] == sorted(call["index"] for call in calls)
    second = [call for call in calls if call["index"] == 1]
    assert second[0]["id"] != id
    assert "".join(call["function"]["arguments"] for call in second) == "{}"


async def test_usage_counts_the_same_streamed_or_not(api: Api) -> None:
    says(api, *CALL)
    whole = await ask(api)
    *_, last, _ = await api.chat_events(tools=[WEATHER], stream_options={"include_usage": True})
    assert last["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens"] == len(CALL)


async def test_a_call_cut_off_by_the_limit_says_length(api: Api) -> None:
    says(api, *CALL)
    (choice,) = (await ask(api, max_tokens=len(CALL) - 20))["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"].startswith('{"city')


async def test_what_is_no_call_stays_content(api: Api) -> None:
    text = '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>'
    says(api, *text)
    (choice,) = (await ask(api))["choices"]
    assert choice["message"]["content"] == text
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("fields", "names", "held"),
    [
        ({}, ["get_weather", "get_time"], False),
        ({"tool_choice": "auto"}, ["get_weather", "get_time"], False),
        ({"tool_choice": "required"}, ["get_weather", "get_time"], True),
        (
            {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
            ["get_time"],
            True,
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
                    },
                }
            },
            ["get_weather"],
            True,
        ),
    ],
)
async def test_the_choice_is_enforced_by_grammar(
    api: Api, fields: dict[str, Any], names: list[str], held: bool
) -> None:
    """From the first token where a call is required, else from where one begins."""
    says(api, CALL)
    await ask(api, **fields)
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert constraint.triggers == (() if held else ("<tool_call>",))
    for name in ("get_weather", "get_time"):
        assert (f'"{name}\\"' in constraint.grammar) == (name in names)


async def test_parallel_calls_can_be_switched_off(api: Api) -> None:
    says(api, CALL)
    await ask(api, tool_choice="required", parallel_tool_calls=False)
    await ask(api, tool_choice="required")
    single, several = (request.constraint.grammar for request in api.engine.requests)
    assert "more{" not in single
    assert "more{" in several


async def test_choice_none_shows_no_tools_and_reads_no_calls(api: Api) -> None:
    says(api, CALL)
    answer = await ask(api, tool_choice="none")
    assert answer["choices"][0]["message"]["content"] == CALL
    (request,) = api.engine.requests
    assert request.constraint is None
    assert "get_weather" not in "".join(span.text for span in request.prompt)


async def test_tools_are_in_the_prompt_though_the_template_knows_none(api: Api) -> None:
    await ask(api)
    prompt = "".join(span.text for span in api.engine.requests[0].prompt)
    assert '"name": "get_weather"' in prompt
    assert "The weather of a place" in prompt
    assert '<tool_call>\n{"name": "' in prompt
    assert prompt.count("<|im_start|>system") == 1


async def test_results_go_back_in(api: Api) -> None:
    """SDKs send their own messages back, results as text or as parts."""
    says(api, CALL)
    message = (await ask(api))["choices"][0]["message"]
    parts = [{"type": "text", "text": "sunny"}]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": parts}
    user = {"role": "user", "content": "Hi"}
    says(api, "It is sunny.")
    answer = await api.post(
        "/v1/chat/completions", {"messages": [user, message, result], "tools": [WEATHER]}
    )
    assert answer.json()["choices"][0]["message"]["content"] == "It is sunny."
    prompt = "".join(span.text for span in api.engine.requests[-1].prompt)
    assert CALL in prompt
    assert "sunny" in prompt


@pytest.mark.parametrize(
    "function",
    [
        {"name": "f"},
        {"name": "f", "description": None, "parameters": None, "strict": None},
        {"name": "f", "parameters": {}},
        {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": "true"},
        {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {"at": {"$ref": "#/$defs/place"}},
                "$defs": {"place": {"type": "object", "properties": {"x": {"type": "number"}}}},
            },
        },
        {"name": "f", "parameters": {"properties": {"a": {"not": {"type": "string"}}}}},
    ],
)
async def test_all_that_clients_send_as_a_tool_is_understood(
    api: Api, function: dict[str, Any]
) -> None:
    tool = {"type": "function", "function": function}
    response = await api.chat(tools=[tool], tool_choice="required")
    assert response.status_code == 200, response.text
    prompt = "".join(span.text for span in api.engine.requests[0].prompt)
    assert ("$defs" in prompt) == ("$defs" in json.dumps(function))


async def test_a_strict_tool_that_cannot_be_enforced_is_refused(api: Api) -> None:
    parameters = {"properties": {"a": {"not": {"type": "string"}}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}
    response = await api.chat(tools=[tool])
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "tools"
    assert "'not'" in response.json()["error"]["message"]


async def test_parameters_that_are_no_object_are_refused(api: Api) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}
    response = await api.chat(tools=[tool])
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "tools"


async def test_the_older_functions_are_answered_in_their_own_form(api: Api) -> None:
    says(api, *CALL)
    functions = [WEATHER["function"]]
    answer = (await api.chat(functions=functions, function_call={"name": "get_weather"})).json()
    (choice,) = answer["choices"]
    call = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert choice["message"]["function_call"] == call
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    *chunks, _ = await api.chat_events(functions=functions)
    pieces = [chunk["choices"][0]["delta"].get("function_call") for chunk in chunks[1:-1]]
    assert pieces[0] == {"name": "get_weather", "arguments": ""}
    assert "".join(piece["arguments"] for piece in pieces) == call["arguments"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


async def test_reasoning_comes_under_both_names_and_never_in_content(api: Api) -> None:
    api.engine.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}<think></think>{{ tools }}"
    )
    says(api, "<think>", "It asks for ", "weather.", "</think>", "\n\n", CALL)
    (choice,) = (await ask(api))["choices"]
    assert choice["message"]["reasoning_content"] == "It asks for weather."
    assert choice["message"]["reasoning"] == "It asks for weather."
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"


async def test_a_required_call_comes_after_the_thinking(api: Api) -> None:
    api.engine.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}"
        "{% if x %}</think>{% endif %}{{ tools }}<think>"
    )
    await ask(api, tool_choice="required")
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert constraint.triggers == ("</think>",)
    assert constraint.final
    assert constraint.opening == ""


async def test_thinking_can_be_switched_off_where_the_template_cannot(api: Api) -> None:
    """DeepSeek R1's template begins to think whatever it is told."""
    api.engine.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}{% if x %}</think>{% endif %}<think>"
    )
    says(api, "Hello")
    for fields in (
        {"reasoning_effort": "none"},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ):
        answer = (await api.chat(**fields)).json()
        assert answer["choices"][0]["message"]["content"] == "Hello"
        prompt = "".join(span.text for span in api.engine.requests[-1].prompt)
        assert prompt.endswith("<think>\n</think>\n\n")
