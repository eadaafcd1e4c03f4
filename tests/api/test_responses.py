"""POST /v1/responses, with an engine that says what it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lmnb.errors import ContextLengthExceeded
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
