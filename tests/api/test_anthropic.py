"""POST /v1/messages: Anthropic's own SDK, and the small print around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from lmnb.engine.options import ThinkingLimit
from tests.api.conftest import KEY, Api
from tests.scripted import TEMPLATE, Script

PATH = "/v1/messages"
THINKS = TEMPLATE + "{# <think></think> #}"
USER: Any = [{"role": "user", "content": "Hi"}]
PLAIN = {"type": "text", "media_type": "text/plain", "data": "Rex is a dog."}
TOOL: Any = {
    "name": "get_weather",
    "description": "The weather in a town",
    "input_schema": {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
    },
    "cache_control": {"type": "ephemeral"},
}


def wire(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, data) of each event."""
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def prompt(api: Api) -> str:
    return "".join(span.text for span in api.engine.requests[-1].prompt)


async def say(api: Api, **fields: Any) -> httpx.Response:
    return await api.post(PATH, {"max_tokens": 9, "messages": USER, **fields})


async def test_an_answer_has_every_key_of_anthropics_schema(api: Api) -> None:
    answer = (await say(api)).json()
    assert answer.pop("id").startswith("msg_")
    assert answer == {
        "type": "message",
        "role": "assistant",
        "model": api.model,
        "content": [{"type": "text", "text": "Hello, world!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 3,
            "output_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 0},
        },
    }


async def test_a_stream_has_the_events_in_order_each_with_its_name(api: Api) -> None:
    response = await say(api, stream=True)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = list(wire(response))
    assert all(name == data["type"] for name, data in events)
    assert [name for name, _ in events] == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    message = events[0][1]["message"]
    assert message["content"] == []
    assert message["stop_reason"] is None
    assert message["usage"]["input_tokens"] == 7
    assert events[-2][1]["usage"]["cache_read_input_tokens"] == 3


async def test_the_sdk_streams_what_it_collects(api: Api, sdk: anthropic.AsyncAnthropic) -> None:
    """Thinking, then text: a streamed answer adds up to exactly the plain one."""
    api.engine.chat_template = THINKS
    api.script(Script(["<think>", "Hm", "m", "</think>", "Four", "."]))
    asked: Any = {"model": api.model, "max_tokens": 50, "messages": USER}
    plain = await sdk.messages.create(**asked)
    async with sdk.messages.stream(**asked) as stream:
        words = [text async for text in stream.text_stream]
        collected = await stream.get_final_message()
    assert "".join(words) == "Four."
    thinking, text = collected.content
    assert thinking.type == "thinking"
    assert thinking.thinking == "Hmm"
    assert thinking.signature
    assert text.type == "text"
    assert collected.stop_reason == plain.stop_reason == "end_turn"
    assert [block.to_dict() for block in plain.content] == [
        {key: value for key, value in block.to_dict().items() if key != "parsed_output"}
        for block in collected.content
    ]
    assert plain.usage.to_dict() == collected.usage.to_dict()
    assert plain.usage.output_tokens_details is not None
    assert plain.usage.output_tokens_details.thinking_tokens > 0
    assert plain._request_id


async def test_thinking_can_be_left_out_of_the_answer(api: Api) -> None:
    api.engine.chat_template = THINKS
    api.script(Script(["<think>", "Hm", "</think>", "Four"]))
    thinking = {"type": "adaptive", "display": "omitted"}
    first, text = (await say(api, thinking=thinking)).json()["content"]
    assert first == {"type": "thinking", "thinking": "", "signature": first["signature"]}
    assert text["text"] == "Four"


@pytest.mark.parametrize(("type", "enabled"), [("enabled", True), ("disabled", False)])
async def test_thinking_is_switched_in_the_template(api: Api, type: str, enabled: bool) -> None:
    api.engine.chat_template = "{{ enable_thinking }} {{ reasoning_effort }}"
    thinking = {"type": type, "budget_tokens": 1024} if enabled else {"type": type}
    await say(api, thinking=thinking, output_config={"effort": "low"})
    assert prompt(api) == f"{enabled} low"


async def test_a_budget_ends_the_thinking(api: Api) -> None:
    api.engine.chat_template = THINKS
    await say(api, thinking={"type": "adaptive"})
    assert api.engine.requests[-1].thinking is None
    await say(api, thinking={"type": "enabled", "budget_tokens": 1024})
    assert api.engine.requests[-1].thinking == ThinkingLimit(
        tokens=1024, start="<think>", end="</think>", closing="\n</think>"
    )


async def test_a_claude_code_request_works(api: Api) -> None:
    """Betas, cache marks, metadata, blocks everywhere: as Claude Code 2 sends them."""
    body = {
        "model": api.model,
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=8a1f;"},
            {
                "type": "text",
                "text": "You are Claude Code.",
                "cache_control": {"type": "ephemeral"},
            },
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                    {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                ],
            }
        ],
        "metadata": {"user_id": "user_1_account__session_2"},
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "temperature": 1,
        "stream": True,
    }
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "x-api-key": KEY,
    }
    options: Any = {"headers": headers, "trust_env": False, "timeout": 60}
    async with httpx.AsyncClient(base_url=api.url, **options) as client:
        response = await client.post(PATH + "?beta=true", json=body)
    assert response.status_code == 200, response.text
    assert "billing" not in prompt(api), "it would spoil the prefix cache"
    assert "system\nYou are Claude Code.<|im_end|>" in prompt(api)
    assert "user\n<system-reminder>x</system-reminder>\nHi<|im_end|>" in prompt(api)


@pytest.mark.parametrize(
    ("script", "fields", "reason", "sequence"),
    [
        (Script(), {}, "end_turn", None),
        (Script(), {"max_tokens": 2}, "max_tokens", None),
        (Script(), {"max_tokens": 0}, "max_tokens", None),
        (Script(reason="context"), {}, "model_context_window_exceeded", None),
        (
            Script(reason="stop_string", stop_string="END"),
            {"stop_sequences": ["END", "x"]},
            "stop_sequence",
            "END",
        ),
        (Script(reason="stop_string", stop_string="\nUser:"), {}, "end_turn", None),
    ],
)
async def test_the_reason_of_the_end(
    api: Api, script: Script, fields: dict[str, Any], reason: str, sequence: str | None
) -> None:
    api.script(script)
    answer = (await say(api, **fields)).json()
    assert (answer["stop_reason"], answer["stop_sequence"]) == (reason, sequence)
    *_, (_, delta), _ = wire(await say(api, **fields, stream=True))
    assert delta["delta"] == {"stop_reason": reason, "stop_sequence": sequence}


async def test_sampling_fields_arrive(api: Api) -> None:
    await say(api, temperature=0.5, top_k=7, top_p=0.9, stop_sequences=["a", "b"])
    request = api.engine.requests[-1]
    assert (request.sampling.temperature, request.sampling.top_k) == (0.5, 7)
    assert request.sampling.top_p == 0.9
    assert request.stop == ("a", "b")
    assert request.max_tokens == 9


async def test_an_answer_of_nothing_is_one_empty_block(api: Api) -> None:
    api.script(Script([]))
    assert (await say(api)).json()["content"] == [{"type": "text", "text": ""}]


async def test_an_answer_that_was_begun_goes_on(api: Api) -> None:
    await say(api, messages=[*USER, {"role": "assistant", "content": "The answer is"}])
    assert prompt(api).endswith("assistant\nThe answer is")


@pytest.mark.parametrize("field", ["output_config", "output_format"])
async def test_an_output_format_is_held_by_a_grammar(api: Api, field: str) -> None:
    """`output_format` is how the SDKs of 2025 sent it."""
    schema = {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
        "additionalProperties": False,
    }
    api.script(Script(['{"town": ', '"Rome"}']))
    format = {"type": "json_schema", "schema": schema}
    await say(api, **{field: {"format": format} if field == "output_config" else format})
    constraint = api.engine.requests[-1].constraint
    assert constraint is not None
    assert "town" in constraint.grammar


async def test_calls_are_blocks_of_their_own(api: Api, sdk: anthropic.AsyncAnthropic) -> None:
    """The default format for a template that knows none: what comes before the call is text."""
    said = [
        "I look.",
        "<tool_call>",
        '{"name": "get_weather", "arguments": ',
        '{"town": "Ro',
        'me"}}',
    ]
    api.script(Script([*said, "</tool_call>"]))
    asked: Any = {"model": api.model, "max_tokens": 50, "messages": USER, "tools": [TOOL]}
    plain = await sdk.messages.create(**asked)
    async with sdk.messages.stream(**asked) as stream:
        collected = await stream.get_final_message()
    for answer in (plain, collected):
        text, call = answer.content
        assert text.type == "text"
        assert text.text.strip() == "I look."
        assert call.type == "tool_use"
        assert (call.name, call.input) == ("get_weather", {"town": "Rome"})
        assert call.id
        assert answer.stop_reason == "tool_use"


async def test_tokens_are_counted_without_a_limit_being_asked_for(
    api: Api, sdk: anthropic.AsyncAnthropic
) -> None:
    """The scripted engine has a token for each byte."""
    counted = await sdk.messages.count_tokens(model=api.model, messages=USER, system="Be kind.")
    await say(api, system="Be kind.")
    assert counted.input_tokens == len(prompt(api))
    answer = await api.post(f"{PATH}/count_tokens", {"messages": USER, "system": "Be kind."})
    assert answer.json() == {"input_tokens": counted.input_tokens}
