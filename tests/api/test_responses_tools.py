"""Functions of the client's, and the form of the text, in Responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_responses import create, prompt, stream
from tests.scripted import Script

CALL = [
    "Let me see. ",
    "<tool_call>",
    '\n{"name": "get_weather", ',
    '"arguments": {"city": ',
    '"Rome"}}\n</tool_call>',
]
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
