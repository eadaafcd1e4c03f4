"""What is refused, fails or makes no sense in Responses, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import ContextLengthExceeded, EngineDied
from tests.api.conftest import Api
from tests.api.test_responses import KEYS, create, refuse, stream
from tests.scripted import Script


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": []}, "input", None),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}
                ]
            },
            "input[0].content[0].image_url",
            "invalid_value",
        ),
        ({"input": [{"type": "web_search_call"}]}, "input[0].type", "invalid_value"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        (
            {"input": "x", "tools": [{"type": "function", "name": "f", "defer_loading": True}]},
            "tools[0].defer_loading",
            "invalid_value",
        ),
        ({"input": "x", "tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"input": "x", "tool_choice": {"type": "function", "name": "f"}, "tools": []},
            "tool_choice",
            "invalid_value",
        ),
        ({"input": "x", "tool_choice": "perhaps"}, "tool_choice", "invalid_value"),
        ({"input": "x", "background": True, "store": False}, "background", "invalid_value"),
        ({"input": "x", "max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"input": "x", "metadata": {"k": 1}}, "metadata.k", "invalid_type"),
        ({"input": "x", "metadata": {"k": "v" * 513}}, "metadata.k", "invalid_value"),
        ({"input": "x", "prompt": {"id": "p"}}, "prompt", "invalid_value"),
        ({"input": "x", "moderation": {"model": "m"}}, "moderation", "invalid_value"),
        (
            {"input": "x", "context_management": [{"type": "compaction"}]},
            "context_management",
            "invalid_value",
        ),
        ({"input": "x", "max_tokens": 5}, "max_tokens", "invalid_value"),
        ({"input": "x", "n": 2}, "n", "invalid_value"),
        ({"input": "x", "service_tier": 1}, "service_tier", "invalid_type"),
        ({"input": "x", "stream_options": 1}, "stream_options", "invalid_type"),
        (
            {"input": "x", "regex": "a+", "text": {"format": {"type": "json_object"}}},
            "regex",
            "invalid_value",
        ),
        ({"input": "x", "include": ["everything"]}, "include[0]", "invalid_value"),
        ({"input": "x", "truncation": "some"}, "truncation", "invalid_value"),
        ({"input": "x", "text": {"format": {"type": "x"}}}, "text.format.type", "invalid_value"),
        (
            {"input": "x", "previous_response_id": "resp_x"},
            "previous_response_id",
            "previous_response_not_found",
        ),
        (
            {"input": "x", "previous_response_id": "a", "conversation": "b"},
            "conversation",
            "invalid_value",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
            "input",
            None,
        ),
        (
            {"input": [{"type": "compaction", "encrypted_content": "xyz"}]},
            "input",
            None,
        ),
    ],
)
async def test_refusals_name_the_field(
    api: Api, fields: dict[str, Any], param: str, code: str | None
) -> None:
    error = await refuse(api, **fields)
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert api.engine.requests == []


async def test_explicit_nulls_are_absent_fields(api: Api) -> None:
    names = (KEYS | {"stream", "include", "conversation", "prompt"}) - {"model"}
    await create(api, **dict.fromkeys(names))


async def test_a_failure_before_the_first_token_is_a_status(api: Api) -> None:
    api.script(Script(refuse=ContextLengthExceeded("Too long.")))
    for extra in ({}, {"stream": True}):
        error = await refuse(api, 400, input="Hi", **extra)
        assert error["code"] == "context_length_exceeded"
    assert (await refuse(api, 404, input="Hi", model="nobody"))["code"] == "model_not_found"


async def test_a_failure_in_mid_stream_is_said_in_both_forms(api: Api) -> None:
    api.script(Script(texts=["Hel"], fail=EngineDied("It crashed.")))
    *_, error, failed = await stream(api)
    assert error["type"] == "error"
    assert (error["code"], error["message"], error["param"]) == ("engine_died", "It crashed.", None)
    assert error["error"]["message"] == "It crashed."
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": "server_error", "message": "It crashed."}
    assert failed["response"]["output"][0]["status"] == "incomplete"
    assert failed["sequence_number"] == error["sequence_number"] + 1


async def test_a_failure_of_a_plain_response_is_a_status(api: Api) -> None:
    api.script(Script(texts=["Hel"], fail=EngineDied("It crashed.")))
    assert (await refuse(api, 503, input="Hi"))["code"] == "engine_died"


ODDITIES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "\0", [], {}),
    *([1], ["x"], [None], [{}], {"type": "x"}, {"id": 5}, {"type": "function"}),
    *([{"type": "message"}], [{"role": "user", "content": [{}]}], [{"id": "msg_"}]),
    *([{"type": "function"}], [{"type": "function", "name": "x"}], {"type": "allowed_tools"}),
    [{"type": "reasoning", "content": [{"text": 5}], "summary": [{}]}],
    [{"type": "reasoning", "encrypted_content": "lmnb1.!"}],
    [{"type": "compaction", "encrypted_content": "lmnb1.AAA"}],
    [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}],
    {"format": {"type": "json_schema", "name": "x", "schema": {"type": "nope"}}},
]


@pytest.mark.parametrize("path", ["", "/input_tokens", "/compact"])
async def test_no_body_is_the_servers_fault(api: Api, path: str) -> None:
    fields = [field.alias or name for name, field in ResponseRequest.model_fields.items()]
    for field in set(fields) - {"stream"}:
        for value in ODDITIES:
            answer = await api.post(f"/v1/responses{path}", {"input": "Hi", field: value})
            assert answer.status_code < 500, (field, value, answer.text)
