"""What is refused or fails in Anthropic's dialect, as its SDK knows it."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from lmnb.errors import EngineDied, QueueFull, ServiceClosed
from tests.api.conftest import Api
from tests.api.test_anthropic import PLAIN, TOOL, USER, say, wire
from tests.scripted import Script


def document(source: Any, **fields: Any) -> Any:
    return [{"role": "user", "content": [{"type": "document", "source": source, **fields}]}]


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "'video'"),
        ({"system": 5}, "system"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [TOOL, TOOL]}, "get_weather"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "no"}}, "'no'"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]}, "tools[0].type"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [{**TOOL, "allowed_callers": ["code_execution"]}]}, "tools[0].allowed_callers"),
        ({"mcp_servers": [{"type": "url", "url": "http://a", "name": "x"}]}, "mcp_servers"),
        ({"container": "container_1"}, "container"),
        ({"speed": "fast"}, "speed"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 9}}}, "task_budget"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "edits[0].type"),
        ({"messages": document({"type": "base64", "data": "JVBERi0="})}, "content[0].source"),
        ({"messages": document(PLAIN, citations={"enabled": True})}, "content[0].citations"),
    ],
)
async def test_refusals_have_anthropics_shape(api: Api, fields: Any, about: str) -> None:
    response = await say(api, **fields)
    assert response.status_code == 400
    body = response.json()
    assert body["type"] == "error"
    assert body["error"].keys() == {"type", "message"}
    assert body["error"]["type"] == "invalid_request_error"
    assert about in body["error"]["message"]
    assert body["request_id"] == response.headers["request-id"]


async def test_the_sdk_knows_our_errors(api: Api, sdk: anthropic.AsyncAnthropic) -> None:
    asked: Any = {"model": api.model, "max_tokens": 9, "messages": USER}
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await sdk.messages.create(**{**asked, "model": "no-such-model"})
    assert "no-such-model" in unknown.value.message
    with pytest.raises(anthropic.AuthenticationError):
        await sdk.with_options(api_key="wrong").messages.create(**asked)
    with pytest.raises(anthropic.BadRequestError):
        await sdk.messages.create(**{**asked, "messages": []})
    api.script(Script(refuse=ServiceClosed("Bye.")), Script(refuse=QueueFull("Full.")))
    with pytest.raises(anthropic.APIStatusError) as closed:
        await sdk.messages.create(**asked)
    assert (closed.value.status_code, closed.value.type) == (529, "overloaded_error")
    with pytest.raises(anthropic.RateLimitError) as full:
        await sdk.messages.create(**asked)
    assert full.value.response.headers["retry-after"] == "1"


async def test_threads_are_refused_so_that_sdks_send_the_whole_conversation(api: Api) -> None:
    answer = await say(api, thread={"type": "continue", "previous_message_id": "msg_1"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"error_code": "thread_unsupported_request"}


async def test_a_body_that_is_not_even_read_is_refused_in_its_shape(
    api: Api, sdk: anthropic.AsyncAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmnb.server.listener.MAX_BODY_BYTES", 1000)
    talk: Any = [{"role": "user", "content": "x" * 2000}]
    with pytest.raises(anthropic.RequestTooLargeError) as large:
        await sdk.messages.create(model=api.model, max_tokens=9, messages=talk)
    assert large.value.body["error"]["type"] == "request_too_large"  # type: ignore[index]
    assert large.value.request_id


async def test_a_stream_that_fails_ends_with_an_error_event(
    api: Api, sdk: anthropic.AsyncAnthropic
) -> None:
    api.script(Script(["One"], fail=EngineDied("It died.")))
    *_, (name, data) = wire(await say(api, stream=True))
    assert name == "error"
    assert data["error"] == {"type": "overloaded_error", "message": "It died."}
    with pytest.raises(anthropic.APIStatusError, match="It died"):
        async with sdk.messages.stream(model=api.model, max_tokens=9, messages=USER) as stream:
            await stream.get_final_message()


async def test_what_is_no_route_is_refused_in_anthropics_shape(
    api: Api, sdk: anthropic.AsyncAnthropic
) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await sdk.messages.batches.list()
    assert unknown.value.type == "not_found_error"
