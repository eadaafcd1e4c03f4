"""Whatever is sent, the answer is JSON in OpenAI's shape with a status that means what it says."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lmnb.errors import LoadFailed
from tests.api.conftest import Api

TOOL = {"type": "function", "function": {"name": "f"}}
NAMED = {"type": "function", "function": {"name": "g"}}
USER = {"role": "user", "content": "Hi"}
CHAT = "/v1/chat/completions"


def error(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-request-id"]
    (body,) = response.json().values()
    assert list(body) == ["message", "type", "param", "code"]
    assert isinstance(body["message"], str)
    return dict(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"messages": "\xff"}',
        b'{"model": "\\ud800"}',
        b'{"temperature": NaN}',
        b'{"temperature": -Infinity}',
        b'{"a":' + b"[" * 100_000,
        b'{"max_tokens": ' + b"9" * 10_000 + b"}",
        b"{} {}",
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/api/v1/models/load"])
async def test_a_body_that_is_no_json_object_is_a_400(api: Api, body: bytes, path: str) -> None:
    assert error(await api.post(path, body), 400)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "robot", "content": ""}]}, "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"presence_penalty": 2.5}, "presence_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_completion_tokens": 10**40}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": 10**9}, "n"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
        ({"seed": "x"}, "seed"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 200}}, "logit_bias.1"),
        ({"logit_bias": 1}, "logit_bias"),
        ({"logit_bias": [1]}, "logit_bias[0]"),
        ({"logit_bias": [[1, 2], [-1, 2]]}, "logit_bias[1]"),
        ({"logit_bias": [["a", True]]}, "logit_bias[0]"),
        ({"samplers": 5}, "samplers"),
        ({"samplers": "kz"}, "samplers"),
        ({"samplers": ["top_k", "infill"]}, "samplers[1]"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": NAMED}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": 1}]}, "functions[0].name"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"continue_final_message": True}, "continue_final_message"),
        (
            {
                "messages": [USER, {"role": "assistant", "content": "Well"}],
                "continue_final_message": True,
                "add_generation_prompt": True,
            },
            "continue_final_message",
        ),
        ({"thinking_budget_tokens": -2}, "thinking_budget_tokens"),
        ({"chat_template_kwargs": 1}, "chat_template_kwargs"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, fields: dict[str, Any], param: str) -> None:
    body = {"messages": [USER], **fields}
    refusal = error(await api.post(CHAT, body), 400)
    assert refusal["param"] == param, refusal
    assert refusal["param"] in refusal["message"]
    assert api.engine.requests == []


async def test_unknown_fields_and_nulls_are_as_if_they_were_absent(api: Api) -> None:
    known = "temperature top_p n stop seed stream stream_options logprobs logit_bias user tools"
    body = {"messages": [USER], "unheard_of": {"a": [1]}, **dict.fromkeys(known.split())}
    assert (await api.post(CHAT, body)).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
        {"tools": []},
        {"response_format": {"type": "text"}},
        {"modalities": ["text"]},
        {"stream_options": {"include_usage": True}},
        {"stop": [""]},
        {"top_logprobs": 0},
        {"store": True, "metadata": {}, "service_tier": "auto", "user": "u", "verbosity": "low"},
    ],
)
async def test_fields_that_change_nothing_are_fine(api: Api, fields: dict[str, Any]) -> None:
    assert (await api.chat(**fields)).status_code == 200


async def test_the_content_type_of_a_request_does_not_matter(api: Api) -> None:
    body = json.dumps({"model": api.model, "messages": [USER]})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await api.post(CHAT, body, headers={"Content-Type": kind})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/nowhere", "/v1", "/v1/nowhere", "/v1/chat", "/v1/%ff", "//", "/api/v9/models"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
async def test_an_unknown_route_is_a_404(api: Api, path: str, method: str) -> None:
    error(await api.client.request(method, api.url + path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST, OPTIONS"),
        ("DELETE", "/v1/completions", "POST, OPTIONS"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PUT", "/health", "GET, HEAD, OPTIONS"),
        ("TRACE", CHAT, "POST, OPTIONS"),
    ],
)
async def test_a_wrong_verb_is_a_405_that_names_the_right_ones(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = await api.client.request(method, path)
    assert sorted(answer.headers["allow"].split(", ")) == sorted(allowed.split(", "))
    assert error(answer, 405)["code"] == "method_not_allowed"


async def test_options_and_head(api: Api) -> None:
    answer = await api.client.options(CHAT, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 204
    assert "access-control-allow-origin" not in answer.headers
    answer = await api.client.head("/v1/models")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_unknown_model_is_a_404(api: Api) -> None:
    refusal = error(await api.chat(model="no-such-model"), 404)
    assert refusal["code"] == "model_not_found"
    assert "no-such-model" in refusal["message"]


async def test_a_model_that_does_not_load_says_why_and_is_not_worth_a_retry(api: Api) -> None:
    api.factory.fail = LoadFailed("llama.cpp said: out of memory")
    answer = await api.chat()
    assert "out of memory" in error(answer, 500)["message"]
    assert answer.headers["x-should-retry"] == "false"


async def test_a_body_that_is_too_large_is_a_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmnb.api.base.MAX_BODY_BYTES", 1000)
    assert error(await api.chat("x" * 2000), 413)["code"] == "request_too_large"
    monkeypatch.setattr("lmnb.server.listener.MAX_BODY_BYTES", 1000)
    assert error(await api.chat("x" * 2000), 413)["code"] == "request_too_large"


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/models"), ("POST", CHAT), ("GET", "/nowhere"), ("PUT", CHAT)]
)
async def test_without_the_key_nothing_is_told(
    api: Api, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await api.client.request(method, path, headers=headers)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert error(answer, 401)["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("path", "hint"), [("/chat/completions", "ends in /v1"), ("/v1/v1/messages", "without /v1")]
)
async def test_a_base_url_that_is_slightly_wrong_is_put_right(
    api: Api, path: str, hint: str
) -> None:
    answer = error(await api.client.post(path, json={}), 404)
    assert answer["code"] == "unknown_url"
    assert hint in answer["message"]


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
async def test_health_asks_for_no_key(api: Api, path: str) -> None:
    answer = await api.client.get(path, headers={"Authorization": ""})
    assert answer.json() == {"status": "ok"}
