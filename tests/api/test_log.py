"""GET /api/v1/log: what can be followed, and what is never written down."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lmnb.service.log import BACKLOG, EngineSaid, Wanted
from tests.api.conftest import Api
from tests.scripted import Script


@asynccontextmanager
async def following(api: Api, **query: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The log's events from here on."""
    params = {"stream": "true", **query}
    async with api.client.stream("GET", "/api/v1/log", params=params) as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        assert await anext(lines) == ": listening"

        async def events() -> AsyncIterator[dict[str, Any]]:
            async for line in lines:
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))["data"]

        yield events()


async def recent(api: Api, **query: str) -> list[dict[str, Any]]:
    answer = await api.client.get("/api/v1/log", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["data"] for entry in answer.json()["log"]]


async def test_requests_are_logged_with_who_asked(api: Api) -> None:
    await api.chat()
    await api.client.get("/v1/models", headers={"Authorization": "Bearer wrong-key"})
    chat, refused = await recent(api, source="server")
    assert (chat["method"], chat["path"], chat["status"]) == ("POST", "/v1/chat/completions", 200)
    assert chat["caller"] == "server key"
    assert chat["milliseconds"] >= 0
    assert (refused["status"], refused["caller"]) == (401, "nobody")
    assert "wrong-key" not in json.dumps(await recent(api))


async def test_what_follows_the_question_mark_is_not_logged(api: Api) -> None:
    await api.client.get("/v1/models?token=secret")
    assert "secret" not in json.dumps(await recent(api))


async def test_who_follows_sees_the_prompt_and_the_answer(api: Api) -> None:
    async with following(api, source="model") as events:
        await api.chat("What is up?")
        sent, said = await anext(events), await anext(events)
    assert sent["type"] == "llm.prediction.input"
    assert "What is up?" in sent["input"]
    assert "<|im_start|>assistant" in sent["input"]
    assert sent["modelPath"].endswith(".gguf")
    assert said["type"] == "llm.prediction.output"
    assert said["output"] == "Hello, world!"
    assert said["modelIdentifier"] == sent["modelIdentifier"] == api.model
    assert said["stats"]["stopReason"] == "eosFound"
    assert said["stats"]["predictedTokensCount"] == 4


async def test_an_answer_that_was_cut_off_says_so(api: Api) -> None:
    await api.chat()
    async with following(api, source="model", filter="output") as events:
        api.script(Script(forever=True))
        async with api.open_stream() as stream:
            await anext(stream.aiter_lines())
        assert (await anext(events))["stats"] == {"stopReason": "userStopped"}


async def test_contents_that_nobody_follows_are_not_remembered(api: Api) -> None:
    await api.chat("A secret")
    assert await recent(api, source="model") == []
    async with following(api, source="server"):
        await api.chat("Another secret")
    assert "secret" not in json.dumps(await recent(api))


async def test_contents_are_remembered_where_that_was_asked_for(api: Api) -> None:
    api.services.log.keep_content = True
    await api.chat("Remember me")
    (sent,) = await recent(api, source="model", filter="input")
    assert "Remember me" in sent["input"]
    assert len(await recent(api, source="model", model=api.model)) == 2
    assert await recent(api, source="model", model="another") == []


async def test_engines_complaints_are_followed(api: Api) -> None:
    api.services.log.listen_to_engines()
    async with following(api, source="runtime") as events:
        logging.getLogger("lmnb.runtime").info("%s", "ggml: oh dear", extra={"engine_pid": 7})
        line = await anext(events)
    assert (line["type"], line["message"], line["pid"]) == ("runtime.log", "ggml: oh dear", 7)


async def test_a_follower_that_leaves_is_forgotten(api: Api) -> None:
    with api.services.log.follow(Wanted(sources=("model",))):
        assert api.services.log.hears("input", api.model)
    assert not api.services.log.hears("input", api.model)


async def test_a_follower_that_falls_behind_loses_the_oldest(api: Api) -> None:
    with api.services.log.follow(Wanted()) as follower:
        for number in range(BACKLOG + 2):
            api.services.log.engine_said(str(number), None)
        assert follower.missed == 2
        assert (await anext(follower)).what == EngineSaid("2", None, None)


async def test_following_ends_with_the_server(api: Api) -> None:
    async with following(api) as events:
        api.services.log.close()
        assert [event async for event in events if event["type"] != "server.log"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("source", "kernel"), ("filter", "both"), ("stream", "perhaps")]
)
async def test_a_wrong_choice_names_its_parameter(api: Api, name: str, value: str) -> None:
    answer = await api.client.get("/api/v1/log", params={name: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)
