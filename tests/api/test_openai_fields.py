"""Fields of OpenAI's that have nothing to do here: refused where the answer would be another one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api

CHAT = "/v1/chat/completions"
FUNCTION = {"name": "f"}
TOOL = {"type": "function", "function": FUNCTION}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"moderation": {"model": "omni-moderation-latest"}}, "moderation"),
        ({"modalities": ["text", "image"]}, "modalities"),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages[0].audio"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"tools": [TOOL], "function_call": "none"}, "function_call"),
        ({"tools": [TOOL], "functions": [FUNCTION]}, "functions"),
        ({"functions": [FUNCTION], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": ALLOWED}, "tool_choice.allowed_tools.tools"),
    ],
)
async def test_what_would_change_the_answer_is_refused_by_name(
    api: Api, fields: dict[str, Any], param: str
) -> None:
    answer = await api.post(CHAT, {"messages": [{"role": "user", "content": "Hi"}], **fields})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_more_completions_than_can_ever_wait_are_no_reason_to_try_again(api: Api) -> None:
    for fields in ({"prompt": ["Hi"] * 257}, {"prompt": ["Hi"] * 3, "n": 128}):
        answer = await api.post("/v1/completions", fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")


async def test_a_choice_among_no_tools_is_none_for_responses_either(api: Api) -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": []}
    body = {"input": "Hi", "tools": [{"type": "function", **FUNCTION}], "tool_choice": choice}
    answer = await api.post("/v1/responses", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tool_choice.tools")


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True, "metadata": {"a": "b"}},
        {"prediction": {"type": "content", "content": "Hello"}},
        {"verbosity": "low", "prompt_cache_retention": "24h", "safety_identifier": "x"},
        {"modalities": ["text"], "audio": None, "moderation": None, "web_search_options": None},
        {"tools": [TOOL], "functions": [], "function_call": None},
        {"functions": [FUNCTION], "tools": None, "tool_choice": "auto"},
    ],
)
async def test_what_would_not_is_no_obstacle(api: Api, fields: dict[str, Any]) -> None:
    assert (await api.chat(**fields)).status_code == 200


async def test_who_asks_for_a_service_tier_is_told_which_it_was(api: Api) -> None:
    assert (await api.chat(service_tier="flex")).json()["service_tier"] == "default"
    chunks = await api.chat_events(service_tier="flex", stream_options={"include_usage": True})
    assert {chunk["service_tier"] for chunk in chunks[:-1]} == {"default"}
    assert "service_tier" not in (await api.chat()).json()


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        (CHAT, {"messages": "Hi"}, "should be an array (got a string)"),
        (CHAT, {"messages": ["Hi"]}, "should be an object (got a string)"),
        (CHAT, {"messages": []}, "should have at least 1 item, not 0"),
        (CHAT, {"messages": [{}], "tool_choice": 5}, "'required' or an object"),
        ("/v1/embeddings", {"input": ["a", 5]}, "a string or an array of token ids (got a number)"),
    ],
)
async def test_what_was_expected_is_said_in_the_words_of_json(
    api: Api, path: str, fields: dict[str, Any], expected: str
) -> None:
    error = (await api.post(path, fields)).json()["error"]
    assert expected in error["message"]
