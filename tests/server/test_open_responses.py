"""What Open Responses' compliance suite demands, of SmolLM2 behind `lmnb serve`.

The suite sets no limit of tokens and wants `completed`; here a rambling model is stopped, and may be
`incomplete`. SmolLM2 sees through a projector of random weights: what it says of a picture is nothing
to go by, but it says it.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.websocket import websocket_connect

from tests.api.open_responses import COMPACTION, RESPONSE, check, check_events
from tests.server.spawn import Server, lmnb_serve
from tests.synthetic_vision import picture, write_projector

MODEL = "smollm2-135m-instruct"
SEEING = "team/seeing"
ENDED = ("completed", "incomplete")
LIMIT = 64
SMOLLM2_WIDTH = 576
LAST = ("error", "response.completed", "response.incomplete", "response.failed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("open-responses")
    home = folder / "models" / "team" / "seeing-GGUF"
    home.mkdir(parents=True)
    shutil.copy(smollm2, home / "seeing.gguf")
    write_projector(home / "mmproj-seeing.gguf", "llama", width=SMOLLM2_WIDTH)
    with lmnb_serve(folder, "--models", str(smollm2), str(folder / "models")) as server:
        assert server.url, server.log
        yield server


def post(server: Server, path: str = "", **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}v1/responses{path}", json=body, timeout=120)


def create(server: Server, *input: Any, **more: Any) -> Any:
    """A valid response that came to its end, with some output."""
    asked = {"model": MODEL, "max_output_tokens": LIMIT, "temperature": 0, **more}
    answer = post(server, input=list(input), **asked)
    assert answer.status_code == 200, answer.text
    response = answer.json()
    check(response, RESPONSE)
    assert response["status"] in ENDED
    assert response["output"]
    return response


def message(role: str, content: Any, **more: Any) -> Any:
    return {"type": "message", "role": role, "content": content, **more}


async def converse(server: Server, *turns: Any) -> list[list[Any]]:
    """The events of each turn on one socket. A turn may be made from those before it."""
    url = server.url.replace("http", "ws", 1) + "v1/responses"
    connection = await websocket_connect(url)
    said: list[list[Any]] = []
    for turn in turns:
        fields = turn(said) if callable(turn) else turn
        head = {"type": "response.create", "model": MODEL, "max_output_tokens": LIMIT}
        asked = {**head, "store": False, "temperature": 0, **fields}
        await connection.write_message(json.dumps(asked))
        events: list[Any] = []
        while not events or events[-1]["type"] not in LAST:
            text = await connection.read_message()
            assert isinstance(text, str)
            events.append(json.loads(text))
        check_events(events)
        said.append(events)
    connection.close()
    return said


def going_on(turn: int, **fields: Any) -> Any:
    """A turn that continues turn number `turn`."""
    return lambda said: {**fields, "previous_response_id": said[turn][-1]["response"]["id"]}


def test_basic_response(server: Server) -> None:
    create(server, message("user", "Say hello in exactly 3 words."))


def test_assistant_phase(server: Server) -> None:
    create(
        server,
        message("assistant", "Let me think.", phase="commentary"),
        message("assistant", "4", phase="final_answer"),
        message("user", "Say hello."),
    )


def test_streaming_response(server: Server) -> None:
    input = [message("user", "Count from 1 to 5.")]
    answer = post(server, model=MODEL, input=input, stream=True, max_output_tokens=LIMIT)
    *blocks, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    said = [json.loads(block.partition("data: ")[2]) for block in blocks if block[0] != ":"]
    check_events(said)
    assert said[-1]["response"]["status"] in ENDED


def test_system_prompt(server: Server) -> None:
    create(server, message("system", "You are a pirate."), message("user", "Say hello."))


def test_multi_turn(server: Server) -> None:
    create(
        server,
        message("user", "My name is Alice."),
        message("assistant", "Hello Alice! How can I help you?"),
        message("user", "What is my name?"),
    )


@pytest.mark.parametrize("choice", ["required", "auto"])
def test_tool_calling(server: Server, choice: str) -> None:
    """A small model calls when it must, and when nothing else comes to its mind; the call is valid."""
    city = {"type": "string", "description": "The city and state"}
    parameters = {"type": "object", "properties": {"location": city}, "required": ["location"]}
    tool = {"type": "function", "name": "get_weather", "parameters": parameters}
    response = create(
        server,
        message("user", "What's the weather like in San Francisco?"),
        tools=[tool],
        tool_choice=choice,
    )
    call = response["output"][-1]
    assert (call["type"], call["name"]) == ("function_call", "get_weather")
    assert list(json.loads(call["arguments"])) == ["location"]


def image() -> Any:
    url = f"data:image/png;base64,{base64.b64encode(picture(1)).decode()}"
    text = {"type": "input_text", "text": "What do you see in this image?"}
    return message("user", [text, {"type": "input_image", "image_url": url}])


def test_image_input(server: Server) -> None:
    response = create(server, image(), model=SEEING)
    blind = create(server, message("user", "What do you see in this image?"), model=SEEING)
    assert response["usage"]["input_tokens"] > blind["usage"]["input_tokens"]


def test_an_image_for_a_text_model_is_refused(server: Server) -> None:
    answer = post(server, model=MODEL, input=[image()])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["type"]) == ("input", "invalid_request_error")
    assert error["code"] == "image_input_not_supported"


async def test_websocket_sequential_responses(server: Server) -> None:
    said = await converse(server, {"input": "Say one."}, {"input": "Say two."})
    assert all(events[-1]["response"]["status"] in ENDED for events in said)


async def test_websocket_continuation(server: Server) -> None:
    first = {"input": "Remember the word copper. Reply with OK."}
    said = await converse(server, first, going_on(0, input="Which word?"))
    before, after = (events[-1]["response"]["usage"]["input_tokens"] for events in said)
    assert after > before


async def test_websocket_reconnect_store_false_recovery(server: Server) -> None:
    ((*_, last),) = await converse(server, {"input": "Reply with OK."})
    lost = {"input": "Go on.", "previous_response_id": last["response"]["id"]}
    said = await converse(server, lost, {"input": "Say hello."})
    assert said[0][-1]["error"]["code"] == "previous_response_not_found"
    assert said[1][-1]["response"]["status"] in ENDED


async def test_websocket_failed_continuation_evicts_cache(server: Server) -> None:
    orphan = {"type": "function_call_output", "call_id": "call_missing", "output": "x"}
    said = await converse(
        server,
        {"input": "Reply with OK."},
        going_on(0, input=[orphan]),
        going_on(0, input="Go on."),
    )
    assert said[1][-1]["type"] == "error"
    assert said[2][-1]["error"]["code"] == "previous_response_not_found"


async def test_websocket_previous_response_not_found(server: Server) -> None:
    lost = {"input": "Go on.", "previous_response_id": "resp_missing"}
    for store in (False, True):
        ((error,),) = await converse(server, {**lost, "store": store})
        assert error["error"]["code"] == "previous_response_not_found"


async def test_websocket_compact_new_chain(server: Server) -> None:
    talk = [message("user", "My name is Alice."), message("assistant", "Hello Alice!")]
    answer = post(server, "/compact", model=MODEL, input=talk, prompt_cache_key="alice")
    check(answer.json(), COMPACTION)
    assert any(item["type"] == "compaction" for item in answer.json()["output"])
    input = [*answer.json()["output"], message("user", "Say hello.")]
    ((*_, last),) = await converse(server, {"input": input})
    assert last["response"]["status"] in ENDED


def test_compact_without_a_model(server: Server) -> None:
    assert post(server, "/compact", input="x").status_code == 400


def test_a_form_holds(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "number", "schema": schema, "strict": True}
    response = create(server, message("user", "A number, please."), text={"format": form})
    assert isinstance(json.loads(response["output"][0]["content"][0]["text"])["n"], int)


def test_counted_tokens_are_those_of_the_prompt(server: Server) -> None:
    input = [message("user", "How long am I?")]
    counted = post(server, "/input_tokens", model=MODEL, input=input, instructions="Be brief.")
    response = create(server, *input, instructions="Be brief.")
    assert counted.json()["input_tokens"] == response["usage"]["input_tokens"]
