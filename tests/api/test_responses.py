"""POST /v1/responses, with an engine that says what it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import ContextLengthExceeded, EngineDied
from tests.api.conftest import Api
from tests.api.open_responses import RESPONSE, check, check_events
from tests.scripted import Script
from tests.until import until

KEYS = set(
    "id object created_at completed_at status background error incomplete_details instructions "
    "max_output_tokens max_tool_calls model output parallel_tool_calls previous_response_id "
    "prompt_cache_key reasoning safety_identifier service_tier store temperature text tool_choice "
    "tools top_logprobs top_p presence_penalty frequency_penalty truncation usage metadata".split()
)


async def create(api: Api, input: Any = "Hi", **fields: Any) -> Any:
    answer = await api.post("/v1/responses", {"input": input, **fields})
    assert answer.status_code == 200, answer.text
    check(answer.json(), RESPONSE)
    return answer.json()


async def refuse(api: Api, status: int = 400, **fields: Any) -> Any:
    answer = await api.post("/v1/responses", fields)
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


async def stream(api: Api, input: Any = "Hi", **fields: Any) -> list[Any]:
    """Each event's data; its name is checked against its type, and its number against its place."""
    answer = await api.post("/v1/responses", {"input": input, "stream": True, **fields})
    return events(answer.status_code, answer.text)


def events(status: int, text: str) -> list[Any]:
    assert status == 200, text
    *blocks, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    found = []
    for block in blocks:
        if not block.startswith(":"):
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    if found and found[0]["sequence_number"] == 0:
        check_events(found)
    return found


def prompt(api: Api) -> str:
    """What the engine was last given."""
    return "".join(span.text for span in api.engine.requests[-1].prompt)


async def test_a_response_has_every_key_of_both_specifications(api: Api) -> None:
    response = await create(api)
    assert set(response) == KEYS
    assert (response["object"], response["status"]) == ("response", "completed")
    (message,) = response["output"]
    assert message.pop("id").startswith("msg_")
    text = {"type": "output_text", "text": "Hello, world!", "annotations": [], "logprobs": []}
    assert message == {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    assert response["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11,
    }


async def test_a_response_echoes_its_request(api: Api) -> None:
    fields = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "metadata": {"a": "b"},
        "truncation": "auto",
        "user": "me",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": None},
        "tool_choice": "none",
    }
    response = await create(api, **fields)
    assert {name: response[name] for name in fields} == fields
    tool = {"type": "function", "name": "f", "description": None, "parameters": {}, "strict": None}
    assert (await create(api, tools=[tool], tool_choice="none"))["tools"] == [tool]


async def test_every_event_in_order(api: Api) -> None:
    said = await stream(api)
    assert [event["type"].removeprefix("response.") for event in said] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 4,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    created, added, part, delta = said[0], said[2], said[3], said[4]
    assert set(created["response"]) == KEYS
    assert (created["response"]["output"], created["response"]["usage"]) == ([], None)
    item = added["item"]
    assert (item["status"], item["content"], item["role"]) == ("in_progress", [], "assistant")
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert part["part"] == empty
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    for event in said[3:10]:
        assert event.items() >= place.items()
    assert (delta["delta"], delta["logprobs"]) == ("Hello", [])
    assert said[8]["text"] == said[9]["part"]["text"] == "Hello, world!"
    final = said[-1]["response"]
    assert final["output"] == [said[10]["item"]]
    assert final["output"][0]["id"] == item["id"]
    assert final["usage"]["total_tokens"] == 11


async def test_one_event_is_one_write_whatever_its_text(api: Api) -> None:
    texts = ["\n\n", 'data: "x"\\', "é", "😀", "\u2028", "\0"]
    api.script(Script(texts=texts))
    said = await stream(api)
    deltas = [event["delta"] for event in said if event["type"].endswith("text.delta")]
    assert deltas == texts


async def test_reasoning_is_an_item_of_its_own(api: Api) -> None:
    api.engine.chat_template = "<think></think>" + str(api.engine.chat_template)
    api.script(Script(texts=["<think>", "Hm", ".", "</think>", "Yes"]))
    said = await stream(api, include=["reasoning.encrypted_content"])
    types = [event["type"].removeprefix("response.") for event in said]
    assert types[2:9] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    thinking, message = said[-1]["response"]["output"]
    assert thinking["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert (thinking["summary"], thinking["type"]) == ([], "reasoning")
    assert message["content"][0]["text"] == "Yes"
    assert said[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    # And back in, with nothing but the sealed text.
    sealed = {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": thinking["encrypted_content"],
    }
    await create(api, [{"role": "user", "content": "Q"}, sealed, message])


async def test_the_token_limit_leaves_the_last_item_incomplete(api: Api) -> None:
    response = await create(api, max_output_tokens=2)
    assert response["status"] == response["output"][-1]["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["completed_at"] is None
    said = await stream(api, max_output_tokens=2)
    assert said[-1]["type"] == "response.incomplete"


async def test_an_answer_without_a_token_has_an_empty_message(api: Api) -> None:
    api.script(Script(texts=[]))
    assert (await create(api))["output"][0]["content"][0]["text"] == ""


@pytest.mark.parametrize("more", [{"include": ["message.output_text.logprobs"]}, {}])
async def test_logprobs_come_when_asked_for(api: Api, more: dict[str, Any]) -> None:
    said = await stream(api, top_logprobs=2, **more)
    first = next(event for event in said if event["type"].endswith("text.delta"))
    assert [top["logprob"] for top in first["logprobs"][0]["top_logprobs"]] == [-0.5, -1.5]
    part = said[-1]["response"]["output"][0]["content"][0]
    assert [token["token"] for token in part["logprobs"]] == ["Hello", ", ", "world", "!"]
    assert part["logprobs"][0]["bytes"] == list(b"Hello")


async def test_every_input_item_is_understood(api: Api) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    response = await create(
        api,
        [
            {"role": "developer", "content": "Rules"},
            {
                "type": "message",
                "role": "user",
                "content": "One",
                "id": "msg_1",
                "status": "completed",
            },
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
            {
                "type": "message",
                "role": "assistant",
                "phase": "final_answer",
                "content": [
                    {"type": "output_text", "text": "Two"},
                    {"type": "refusal", "refusal": "No"},
                ],
            },
            {"role": "user", "content": [{"type": "input_text", "text": "Three"}]},
            {**call, "id": "fc_1", "status": "completed"},
            {"type": "function_call_output", "call_id": "call_1", "output": "Four"},
            {**call, "call_id": "call_2"},
            {
                "type": "function_call_output",
                "call_id": "call_2",
                "output": [{"type": "input_text", "text": "Five"}],
            },
        ],
        instructions="First",
    )
    text = prompt(api)
    words = ["First", "Rules", "One", "Two", "No", "Three", "Four", "Five"]
    assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
    listed = await api.client.get(f"/v1/responses/{response['id']}/input_items?order=asc")
    data = listed.json()["data"]
    assert [item["type"] for item in data[:3]] == ["message", "message", "reasoning"]
    assert (data[1]["id"], data[3]["phase"]) == ("msg_1", "final_answer")
    assert len({item["id"] for item in data}) == 9


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


async def test_truncation_drops_the_oldest_turns_until_it_fits(api: Api) -> None:
    long = ContextLengthExceeded("Too long.")
    talk = [{"role": "system", "content": "Rules"}]
    talk += [{"role": "user", "content": f"Question {n}" + 100 * "."} for n in range(40)]
    api.script(Script(refuse=long), Script())
    await create(api, talk, truncation="auto")
    assert len(api.engine.requests) == 2, "the tokens of what is tried are only counted"
    assert "Rules" in prompt(api)
    assert 1800 < len(prompt(api)) < api.engine.facts.context_length
    assert "Question 39" in prompt(api)
    assert "Question 0" not in prompt(api)
    api.script(Script(refuse=long))
    assert (await refuse(api, input=talk, truncation="auto"))["code"] == "context_length_exceeded"
    assert (await refuse(api, input=talk))["code"] == "context_length_exceeded"


async def test_a_client_that_leaves_ends_its_response(api: Api) -> None:
    api.script(Script(forever=True))
    body = {"model": api.model, "input": "Hi", "stream": True}
    async with api.client.stream("POST", "/v1/responses", json=body) as answer:
        async for line in answer.aiter_lines():
            if "output_text.delta" in line:
                break
    await asyncio.wait_for(api.engine.streams[0].cancelled.wait(), 30)
    await until(lambda: not api.services.activity.running)


async def test_input_tokens_counts_the_whole_prompt(api: Api) -> None:
    short = await api.post("/v1/responses/input_tokens", {"input": "Hi"})
    assert short.json()["object"] == "response.input_tokens"
    long = await api.post("/v1/responses/input_tokens", {"input": "Hi", "instructions": "Be brief"})
    assert long.json()["input_tokens"] > short.json()["input_tokens"] > 0


async def test_compaction_and_a_chain_that_goes_on_from_it(api: Api) -> None:
    talk = [{"role": "user", "content": "I am Alice."}, {"role": "assistant", "content": "Hello."}]
    api.script(Script(texts=["The user", " is Alice."]))
    answer = await api.post("/v1/responses/compact", {"input": talk})
    compacted = answer.json()
    assert compacted["object"] == "response.compaction"
    assert compacted["usage"]["output_tokens"] == 2
    (item,) = compacted["output"]
    assert item["type"] == "compaction"
    assert "Alice" not in item["encrypted_content"]
    await create(api, [*compacted["output"], {"role": "user", "content": "Who am I?"}])
    assert "The user is Alice." in prompt(api)
    missing = await api.client.post("/v1/responses/compact", json={"input": "x"})
    assert missing.status_code == 400
    assert missing.json()["error"]["param"] == "model"


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
CALL = [
    "Let me see. ",
    "<tool_call>",
    '\n{"name": "get_weather", ',
    '"arguments": {"city": ',
    '"Rome"}}\n</tool_call>',
]


async def test_a_function_call_is_an_item_with_streamed_arguments(api: Api) -> None:
    api.script(Script(texts=CALL))
    said = await stream(api, tools=[WEATHER])
    kinds = [event["type"].removeprefix("response.") for event in said]
    start = len(kinds) - 1 - kinds[::-1].index("output_item.added")
    call = said[start]["item"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "get_weather", "")
    assert call["call_id"].startswith("call_")
    assert kinds[start + 1] == "function_call_arguments.delta"
    assert kinds[-3:] == ["function_call_arguments.done", "output_item.done", "completed"]
    deltas = [event["delta"] for event in said[start:] if "delta" in event]
    done = said[-3]
    assert json.loads("".join(deltas)) == json.loads(done["arguments"]) == {"city": "Rome"}
    assert done["name"] == "get_weather"
    message, last = said[-1]["response"]["output"]
    assert message["content"][0]["text"] == "Let me see."
    assert last == {**call, "status": "completed", "arguments": done["arguments"]}
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "Sunny"}
    previous = said[-1]["response"]["id"]
    await create(api, [output], previous_response_id=previous, tools=[WEATHER])
    assert "Sunny" in prompt(api)


async def test_a_named_function_is_forced(api: Api) -> None:
    await create(api, tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"})
    assert api.engine.requests[-1].constraint is not None


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
async def test_the_form_of_the_text_is_a_constraint(api: Api, kind: str) -> None:
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    form = {"type": kind, **(schema if kind == "json_schema" else {})}
    response = await create(api, text={"format": form})
    assert api.engine.requests[-1].constraint is not None
    described = {"description": ""} if kind == "json_schema" else {}
    assert response["text"]["format"] == {**form, **described}


@pytest.mark.parametrize(
    "fields", [{"guided_regex": "a+"}, {"structured_outputs": {"choice": ["a"]}}, {"grammar": "x"}]
)
async def test_other_servers_fields_for_the_form_are_understood(
    api: Api, fields: dict[str, Any]
) -> None:
    await create(api, **fields)
    assert api.engine.requests[-1].constraint is not None


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
