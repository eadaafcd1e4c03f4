"""POST /api/v1/chat, against LM Studio's documentation of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lmnb.errors import EngineDied, LoadFailed
from tests.api.conftest import Api
from tests.scripted import TEMPLATE, Script
from tests.synthetic import write_model
from tests.until import until

CHAT = "/api/v1/chat"
SWITCHED = (
    TEMPLATE
    + "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)
STATS = {
    "input_tokens",
    "total_output_tokens",
    "reasoning_output_tokens",
    "tokens_per_second",
    "time_to_first_token_seconds",
}


async def chat(api: Api, input: Any = "Hi", **fields: Any) -> dict[str, Any]:
    answer = await api.post(CHAT, {"model": api.model, "input": input, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(api: Api, status: int = 400, **fields: Any) -> dict[str, Any]:
    answer = await api.post(CHAT, {"model": api.model, "input": "Hi", **fields})
    assert answer.status_code == status, answer.text
    return dict(answer.json()["error"])


async def stream(api: Api, **fields: Any) -> list[dict[str, Any]]:
    """The events' data; that each has its type for its name is checked."""
    body = {"model": api.model, "input": "Hi", "stream": True, **fields}
    answer = await api.post(CHAT, body)
    assert answer.status_code == 200, answer.text
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    named = [(name.removeprefix("event: "), json.loads(data[6:])) for name, data in blocks]
    assert all(name == data["type"] for name, data in named)
    return [data for _, data in named]


def prompt(api: Api) -> str:
    """What the engine was last asked to continue."""
    return "".join(span.text for span in api.engine.requests[-1].prompt)


@pytest.fixture
def thinker(api: Api, tmp_path: Path) -> str:
    """A model that thinks unless it is told not to."""
    path = tmp_path / "imported" / "thinker.gguf"
    path.parent.mkdir()
    write_model(path, "llama", chat_template=SWITCHED)
    api.engine.chat_template = SWITCHED
    return "thinker"


async def test_an_answer_has_the_documented_keys(api: Api) -> None:
    first = await chat(api)
    assert first.keys() == {"model_instance_id", "output", "stats", "response_id"}
    assert first["model_instance_id"] == api.model
    assert first["output"] == [{"type": "message", "content": "Hello, world!"}]
    assert first["response_id"].startswith("resp_")
    assert first["stats"].keys() == {*STATS, "model_load_time_seconds"}
    assert first["stats"]["input_tokens"] == 7
    assert first["stats"]["total_output_tokens"] == 4
    assert first["stats"]["tokens_per_second"] == 30.0
    assert (await chat(api))["stats"].keys() == STATS, "it was loaded already"


async def test_a_stream_has_its_events_in_order_and_ends_with_the_whole_answer(api: Api) -> None:
    api.script(Script(prefill=[3, 5]))
    events = await stream(api)
    assert [event["type"] for event in events] == [
        "chat.start",
        "model_load.start",
        *["model_load.progress"] * len([e for e in events if e["type"] == "model_load.progress"]),
        "model_load.end",
        "prompt_processing.start",
        "prompt_processing.progress",
        "prompt_processing.progress",
        "prompt_processing.progress",
        "prompt_processing.end",
        "message.start",
        *["message.delta"] * 4,
        "message.end",
        "chat.end",
    ]
    assert events[0]["model_instance_id"] == events[1]["model_instance_id"] == api.model
    by_type = {event["type"]: event for event in events}
    assert by_type["model_load.progress"]["progress"] == 1.0
    assert by_type["model_load.end"]["load_time_seconds"] >= 0
    read = [e["progress"] for e in events if e["type"] == "prompt_processing.progress"]
    assert read == [pytest.approx(3 / 7), pytest.approx(5 / 7), 1.0]
    deltas = [event["content"] for event in events if event["type"] == "message.delta"]
    result = events[-1]["result"]
    assert result["output"] == [{"type": "message", "content": "".join(deltas)}]
    assert (
        result["stats"]["model_load_time_seconds"] == by_type["model_load.end"]["load_time_seconds"]
    )
    assert result["response_id"].startswith("resp_")


async def test_what_is_loaded_is_not_loaded_again(api: Api) -> None:
    await chat(api)
    assert not any(event["type"].startswith("model_load") for event in await stream(api))


async def test_thinking_is_an_item_and_events_of_its_own(api: Api, thinker: str) -> None:
    api.script(Script(texts=["<think>", "Need to", " greet.", "</think>", "Hello"]))
    events = await stream(api, model=thinker)
    said = [e["type"] for e in events if e["type"].startswith(("reasoning", "message"))]
    assert said == [
        "reasoning.start",
        "reasoning.delta",
        "reasoning.delta",
        "reasoning.end",
        "message.start",
        "message.delta",
        "message.end",
    ]
    assert events[-1]["result"]["output"] == [
        {"type": "reasoning", "content": "Need to greet."},
        {"type": "message", "content": "Hello"},
    ]
    assert events[-1]["result"]["stats"]["reasoning_output_tokens"] > 0


async def test_thinking_can_be_switched_off_where_there_is_a_switch(api: Api, thinker: str) -> None:
    await chat(api, model=thinker, reasoning="off")
    assert prompt(api).endswith("<think></think>")
    await chat(api, model=thinker, reasoning="on")
    assert "<think>" not in prompt(api)
    error = await refused(api, model=thinker, reasoning="high")
    assert (error["type"], error["param"]) == ("invalid_request", "reasoning")
    assert "off, on" in error["message"]


@pytest.mark.parametrize("setting", ["off", "low", "medium", "high", "on"])
async def test_a_model_that_does_not_think_has_no_setting_for_it(api: Api, setting: str) -> None:
    error = await refused(api, reasoning=setting)
    assert (error["code"], error["param"]) == ("unsupported_reasoning", "reasoning")


# -- what is remembered


async def test_a_chat_goes_on_from_any_answer(api: Api) -> None:
    blue = await chat(api, "My favorite color is blue.", system_prompt="Be short.")
    again = await chat(api, "Which?", previous_response_id=blue["response_id"])
    assert [turn in prompt(api) for turn in ("Be short.", "blue", "Hello, world!", "Which?")] == [
        True
    ] * 4
    await chat(api, "And red?", previous_response_id=blue["response_id"])
    assert "Which?" not in prompt(api), "a branch knows nothing of the other"
    assert again["response_id"] != blue["response_id"]


async def test_a_new_system_prompt_takes_the_old_ones_place(api: Api) -> None:
    one = await chat(api, "a", system_prompt="ONE")
    two = await chat(api, "b", system_prompt="TWO", previous_response_id=one["response_id"])
    await chat(api, "c", previous_response_id=two["response_id"])
    assert prompt(api).startswith("<|im_start|>system\nTWO")
    assert "ONE" not in prompt(api)


async def test_what_is_not_stored_has_no_id(api: Api) -> None:
    assert "response_id" not in await chat(api, store=False)


async def test_the_responses_api_can_go_on_from_it_and_back(api: Api) -> None:
    native = await chat(api, "first")
    kept = (await api.client.get(f"/v1/responses/{native['response_id']}")).json()
    assert kept["status"] == "completed"
    assert kept["usage"]["output_tokens"] == 4
    body = {"input": "second", "previous_response_id": native["response_id"]}
    response = (await api.post("/v1/responses", body)).json()
    await chat(api, "third", previous_response_id=response["id"])
    assert [text in prompt(api) for text in ("first", "second", "third")] == [True] * 3


async def test_an_unknown_chat_is_refused(api: Api) -> None:
    error = await refused(api, previous_response_id="resp_none")
    assert (error["type"], error["param"]) == ("invalid_request", "previous_response_id")
    assert (await refused(api, previous_response_id="x"))["param"] == "previous_response_id"


# -- what may be asked


async def test_unknown_keys_are_refused_in_lm_studios_words(api: Api) -> None:
    error = await refused(api, sead=1, topp=2)
    assert error == {
        "type": "invalid_request",
        "message": "Unrecognized key(s) in object: 'sead', 'topp'",
        "code": "unrecognized_keys",
        "param": "sead",
    }
    inner = await refused(api, input=[{"type": "message", "content": "a", "text": "b"}])
    assert inner["message"] == "Unrecognized key(s) in object: 'text'"


async def test_all_of_its_sampling_and_ours_is_understood(api: Api) -> None:
    theirs = {"temperature": 0, "top_p": 0.5, "top_k": 7, "min_p": 0.1, "repeat_penalty": 1.1}
    ours = {"seed": 5, "stop": ["x"], "presence_penalty": 1, "logit_bias": {"3": 1}}
    await chat(api, max_output_tokens=2, **theirs, **ours)
    asked = api.engine.requests[-1]
    assert asked.max_tokens == 2
    assert asked.stop[0] == "x"
    sampling = asked.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0, 0.5, 7)
    assert (sampling.min_p, sampling.repeat_penalty, sampling.seed) == (0.1, 1.1, 5)


async def test_input_may_be_items_of_either_documented_form(api: Api) -> None:
    items = [{"type": "message", "content": "one"}, {"type": "text", "content": "two"}]
    await chat(api, items)
    assert "one\ntwo<|im_end|>" in prompt(api)


async def test_a_context_length_loads_an_instance_that_holds_as_much(api: Api) -> None:
    await chat(api)
    assert (await chat(api, context_length=100))["model_instance_id"] == api.model
    assert (await chat(api, context_length=3000))["model_instance_id"] == f"{api.model}:2"
    assert [options.context_length for _, options in api.factory.loads] == [None, 3000]


# -- what can go wrong


async def test_an_unknown_model_is_refused_before_a_stream_begins(api: Api) -> None:
    for streamed in (False, True):
        error = await refused(api, 404, model="none", stream=streamed)
        assert (error["type"], error["code"]) == ("model_not_found", "model_not_found")


async def test_a_load_that_fails_is_an_error_and_the_end(api: Api) -> None:
    api.factory.fail = LoadFailed("bad tensor")
    *_, error, end = await stream(api)
    assert error["error"] == {
        "type": "internal_error",
        "message": "bad tensor",
        "code": "model_load_failed",
    }
    assert end["type"] == "chat.end"
    assert end["result"]["output"] == []
    assert "response_id" not in end["result"]
    assert (await refused(api, 500))["code"] == "model_load_failed"


async def test_a_failure_in_the_middle_ends_with_what_there_is(api: Api) -> None:
    api.script(Script(texts=["Half"], fail=EngineDied("killed")))
    *_, closed, error, end = await stream(api)
    assert [closed["type"], error["type"]] == ["message.end", "error"]
    assert end["result"]["output"] == [{"type": "message", "content": "Half"}]


async def test_a_client_that_leaves_ends_it(api: Api) -> None:
    api.script(Script(forever=True))
    body = {"model": api.model, "input": "Hi", "stream": True}
    async with api.client.stream("POST", CHAT, json=body) as response:
        async for line in response.aiter_lines():
            if "message.delta" in line:
                break
    await api.engine.streams[0].cancelled.wait()
    (model,) = api.services.manager.loaded()
    await until(lambda: not model.in_flight)
