"""Tools on a real model of 135 million parameters, with OpenAI's own client.

It knows nothing of tools: what makes its calls valid is the grammar.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import openai
import pytest

from tests.api.serving import KEY, real_server

MODEL = "SmolLM2-135M-Instruct.Q4_1"
BOOKING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 30},
        "nights": {"type": "integer", "minimum": 1, "maximum": 14},
        "board": {"enum": ["none", "breakfast", "full"]},
        "guests": {
            "type": "array",
            "items": {"$ref": "#/$defs/guest"},
            "minItems": 1,
            "maxItems": 2,
        },
        "note": {"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]},
    },
    "required": ["city", "nights", "board", "guests", "note"],
    "additionalProperties": False,
    "$defs": {
        "guest": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 20},
                "child": {"type": "boolean"},
            },
            "required": ["name", "child"],
            "additionalProperties": False,
        }
    },
}
WEATHER = {
    "type": "object",
    "properties": {"location": {"type": "string", "description": "The city"}},
    "required": ["location"],
}


def tool(name: str, parameters: dict[str, Any] | None = None) -> Any:
    function: dict[str, Any] = {"name": name, "description": f"Does {name.replace('_', ' ')}"}
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


BOOK, GET_WEATHER, PING = tool("book_room", BOOKING), tool("get_weather", WEATHER), tool("ping")
NAMED: Any = {"type": "function", "function": {"name": "book_room"}}


@asynccontextmanager
async def serve(model: Path, folder: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        real_server(model, folder) as (url, _),
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
        openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=KEY, http_client=http, max_retries=0
        ) as client,
    ):
        yield client


@pytest.fixture
def ask(smollm2: Path, tmp_path: Path) -> Callable[[Callable[..., Awaitable[None]]], None]:
    """Runs a coroutine with a client of a server of its own."""

    def run(body: Callable[[openai.AsyncOpenAI], Awaitable[None]]) -> None:
        async def main() -> None:
            async with serve(smollm2, tmp_path) as client:
                await body(client)

        asyncio.run(main())

    return run


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_required_calls_are_valid_whatever_is_asked(ask: Any) -> None:
    """`required`, a named function, a tool without parameters; streamed or not."""

    async def body(client: openai.AsyncOpenAI) -> None:
        create = client.chat.completions.create
        for seed in (1,):
            answer = await create(
                model=MODEL,
                messages=user("Say hello."),
                tools=[BOOK, PING],
                tool_choice=NAMED,
                temperature=1,
                seed=seed,
            )
            (choice,) = answer.choices
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content is None
            assert choice.message.tool_calls
            for call in choice.message.tool_calls:
                assert call.type == "function" and call.function.name == "book_room"
                jsonschema.validate(json.loads(call.function.arguments), BOOKING)

        answer = await create(
            model=MODEL, messages=user("Hi"), tools=[PING], tool_choice="required", seed=1
        )
        assert answer.choices[0].message.tool_calls
        assert answer.choices[0].message.tool_calls[0].function.arguments == "{}"  # type: ignore[union-attr]

        pieces, content, reasons = [], "", []
        async for chunk in await create(
            model=MODEL,
            messages=user("A room in Rome, please."),
            tools=[BOOK],
            tool_choice="required",
            parallel_tool_calls=False,
            stream=True,
            seed=1,
        ):
            (choice_,) = chunk.choices
            content += choice_.delta.content or ""
            pieces += choice_.delta.tool_calls or []
            reasons.append(choice_.finish_reason)
        assert content == ""
        assert reasons[-1] == "tool_calls"
        assert {piece.index for piece in pieces} == {0}
        assert pieces[0].id and pieces[0].function.name == "book_room"
        assert len(pieces) > 5
        text = "".join(piece.function.arguments or "" for piece in pieces)
        jsonschema.validate(json.loads(text), BOOKING)

    ask(body)


def test_it_may_call_or_answer_and_reads_results(ask: Any) -> None:
    async def body(client: openai.AsyncOpenAI) -> None:
        create = client.chat.completions.create
        question = user("What's the weather like in San Francisco?")
        answer = await create(model=MODEL, messages=question, tools=[GET_WEATHER], temperature=0)
        (choice,) = answer.choices
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls
        (call,) = choice.message.tool_calls
        assert json.loads(call.function.arguments) == {"location": "San Francisco"}  # type: ignore[union-attr]
        said = "The weather in San Francisco is sunny, 22 degrees."
        result = {"role": "tool", "tool_call_id": call.id, "content": said}
        answer = await create(
            model=MODEL,
            messages=[*question, choice.message, result],
            tools=[GET_WEATHER],
            temperature=0,
            max_tokens=40,
        )
        assert "22 degrees" in (answer.choices[0].message.content or "")
        assert answer.choices[0].finish_reason == "stop"

        answer = await create(
            model=MODEL, messages=user("Say hello."), tools=[GET_WEATHER], temperature=0
        )
        assert answer.choices[0].message.tool_calls is None
        assert "ello" in (answer.choices[0].message.content or "")

        answer = await create(
            model=MODEL,
            messages=question,
            tools=[GET_WEATHER],
            parallel_tool_calls=False,
            temperature=1,
            seed=3,
        )
        assert len(answer.choices[0].message.tool_calls or []) <= 1

    ask(body)
