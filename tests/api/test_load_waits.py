"""A stream that waits for its model's load says so; what goes wrong then is said in the stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from lmnb.engine.options import LoadOptions
from lmnb.errors import LoadFailed
from tests.api.conftest import KEY, Api
from tests.until import until

USER = [{"role": "user", "content": "Hi"}]
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": USER},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": USER, "max_tokens": 9},
    "/api/v0/chat/completions": {"messages": USER},
}


@pytest.fixture
def gate(api: Api, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Loads stop at 42 % until it is set."""
    gate, load = asyncio.Event(), api.factory

    async def held(path: str, options: LoadOptions, progress: Any) -> Any:
        progress(0.42)
        await gate.wait()
        return await load(path, options)

    monkeypatch.setattr(api.services.manager._loads, "_factory", held)
    api.services.patience = 0.02
    return gate


@contextlib.asynccontextmanager
async def stream(api: Api, route: str, **more: Any) -> AsyncIterator[Any]:
    """The response and its lines, from the first that says something on."""
    body = {"model": api.model, "stream": True, **ROUTES[route], **more}
    async with api.client.stream("POST", route, json=body) as response:
        yield response, response.aiter_lines()


@pytest.mark.parametrize("route", ROUTES)
async def test_a_stream_is_kept_alive_while_its_model_is_loaded(
    api: Api, gate: asyncio.Event, route: str
) -> None:
    sign = "event: ping" if route == "/v1/messages" else ": loading model 42%"
    async with stream(api, route) as (response, lines):
        assert response.status_code == 200
        for _ in range(3):
            while await anext(lines) != sign:
                pass
        gate.set()
        rest = "\n".join([line async for line in lines])
    assert "Hello" in rest
    assert "error" not in rest.replace('"error":null', "")
    assert api.services.manager.loaded()[0].in_flight == 0


async def test_so_is_one_that_begins_with_its_prompt(api: Api, gate: asyncio.Event) -> None:
    """Which of token ids is a text that the model has to say."""
    async with stream(api, "/v1/completions", prompt=[*b"Say: "], echo=True) as (response, lines):
        assert response.status_code == 200
        while await anext(lines) != ": loading model 42%":
            pass
        gate.set()
        datas = [line.removeprefix("data: ") async for line in lines if line.startswith("data: {")]
    assert "".join(json.loads(d)["choices"][0]["text"] for d in datas) == "Say: Hello, world!"


@pytest.mark.parametrize("route", ROUTES)
async def test_a_load_that_fails_then_ends_the_stream_with_an_error(
    api: Api, gate: asyncio.Event, route: str
) -> None:
    api.factory.fail = LoadFailed("no such tensor")
    async with stream(api, route) as (response, lines):
        assert response.status_code == 200
        await anext(lines)
        gate.set()
        datas = [line async for line in lines if line.startswith("data: {")]
    assert "no such tensor" in datas[-1]
    if route in ("/v1/chat/completions", "/v1/completions"):
        error = json.loads(datas[-1].removeprefix("data: "))["error"]
        assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("route", ROUTES)
async def test_a_load_that_fails_at_once_has_a_status(api: Api, route: str) -> None:
    api.factory.fail = LoadFailed("no such tensor")
    async with stream(api, route) as (response, _):
        assert response.status_code == 500
        assert "no such tensor" in (await response.aread()).decode()


async def test_a_request_that_is_not_streamed_waits(api: Api, gate: asyncio.Event) -> None:
    api.factory.fail = LoadFailed("no such tensor")
    with api.services.notices.subscribe() as notices:
        asked = asyncio.ensure_future(api.chat())
        assert (await anext(notices)).kind == "model_load.start"
    assert not asked.done()
    gate.set()
    assert (await asked).status_code == 500


async def test_a_client_that_leaves_during_the_load_is_waited_for_by_nobody(
    api: Api, gate: asyncio.Event
) -> None:
    async with stream(api, "/v1/chat/completions", n=2) as (_, lines):
        await anext(lines)
        assert api.services.activity.running == 1
    await until(lambda: not api.services.activity.running)
    gate.set()
    model = await api.services.manager.get(api.model)
    assert (model.in_flight, api.engine.requests) == (0, [])


async def test_anthropics_client_reads_over_the_pings(api: Api, gate: asyncio.Event) -> None:
    async with anthropic.AsyncAnthropic(base_url=api.url, api_key=KEY) as client:
        opening = asyncio.ensure_future(open_stream(client, api.model))
        await asyncio.sleep(0.1)
        gate.set()
        assert await opening == "Hello, world!"


async def open_stream(client: anthropic.AsyncAnthropic, model: str) -> str:
    messages: Any = USER
    async with client.messages.stream(model=model, messages=messages, max_tokens=9) as stream:
        return await stream.get_final_text()


async def test_a_load_by_hand_that_waits_for_its_turn_says_so(
    api: Api, gate: asyncio.Event
) -> None:
    with api.services.notices.subscribe() as notices:
        first = asyncio.ensure_future(api.post("/api/v1/models/load", {"model": api.model}))
        assert (await anext(notices)).kind == "model_load.start"
    body = {"model": api.model, "identifier": "second", "stream": True}
    async with api.client.stream("POST", "/api/v1/models/load", json=body) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: model_load.start"
        gate.set()
        assert "event: model_load.end" in [line async for line in lines]
    assert (await first).status_code == 200


async def test_who_closes_the_stream_of_a_load_ends_the_load(api: Api, gate: asyncio.Event) -> None:
    with api.services.notices.subscribe() as notices:
        body = {"model": api.model, "stream": True}
        async with api.client.stream("POST", "/api/v1/models/load", json=body) as response:
            await anext(response.aiter_lines())
        kinds = [(await anext(notices)).kind for _ in range(3)]
    assert kinds == ["model_load.start", "model_load.progress", "model_load.error"]
    assert api.services.manager.loaded() == []
