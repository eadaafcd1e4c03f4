"""LM Studio's version 0, against the examples in its documentation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, events
from tests.scripted import Script

CHAT, TEXT = "/api/v0/chat/completions", "/api/v0/completions"
STATS = {"tokens_per_second", "time_to_first_token", "generation_time", "stop_reason"}
RHYMES = [
    {"role": "system", "content": "Always answer in rhymes."},
    {"role": "user", "content": "Introduce yourself."},
]


async def test_models_are_described_in_its_words(api: Api) -> None:
    listing = (await api.client.get("/api/v0/models")).json()
    assert listing["object"] == "list"
    (model,) = listing["data"]
    assert model == {
        "id": api.model,
        "object": "model",
        "type": "llm",
        "publisher": "local",
        "arch": "llama",
        "compatibility_type": "gguf",
        "quantization": "F32",
        "state": "not-loaded",
        "max_context_length": 2048,
    }
    assert (await api.client.get(f"/api/v0/models/{api.model}")).json() == model
    assert api.factory.loads == []


async def test_what_is_loaded_says_so_under_each_of_its_names(api: Api) -> None:
    await api.post(
        "/api/v1/models/load", {"model": api.model, "identifier": "mine", "context_length": 512}
    )
    mine = (await api.client.get("/api/v0/models/mine")).json()
    assert (mine["state"], mine["loaded_context_length"]) == ("loaded", 512)
    file = (await api.client.get(f"/api/v0/models/{api.model}")).json()
    assert file["state"] == "not-loaded"
    missing = await api.client.get("/api/v0/models/other")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_chat_answers_with_figures(api: Api) -> None:
    body = {"model": api.model, "messages": RHYMES, "temperature": 0.7, "max_tokens": -1}
    answer = (await api.post(CHAT, {**body, "stream": False})).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "Hello, world!"
    assert answer["stats"].keys() == STATS
    # The scripted engine says that it took 0.1 s for 4 tokens, the first after 0.03 s.
    assert answer["stats"] == {
        "tokens_per_second": 30.0,
        "time_to_first_token": 0.03,
        "generation_time": 0.1,
        "stop_reason": "eosFound",
    }
    assert answer["model_info"] == {
        "arch": "llama",
        "quant": "F32",
        "format": "gguf",
        "context_length": 2048,
    }
    assert answer["runtime"]["name"].startswith("llama.cpp-")
    assert answer["runtime"]["version"] == "scripted"
    assert answer["runtime"]["supported_formats"] == ["gguf"]


@pytest.mark.parametrize(
    ("fields", "script", "reason"),
    [
        ({"max_tokens": 2}, Script(), "maxPredictedTokensReached"),
        ({}, Script(reason="stop_string", stop_string="\n"), "stopStringFound"),
        ({}, Script(reason="context"), "contextLengthReached"),
    ],
)
async def test_a_completion_says_why_it_ended(
    api: Api, fields: dict[str, Any], script: Script, reason: str
) -> None:
    api.script(script)
    body = {"model": api.model, "prompt": "the meaning of life is", "stop": "\n", **fields}
    answer = (await api.post(TEXT, body)).json()
    assert answer["object"] == "text_completion"
    assert answer["stats"]["stop_reason"] == reason


async def test_a_tool_call_is_a_reason_of_its_own(api: Api) -> None:
    api.script(Script(texts=['<tool_call>{"name": "go", "arguments": {}}</tool_call>']))
    go = {"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}
    body = {"model": api.model, "messages": RHYMES, "tools": [go]}
    assert (await api.post(CHAT, body)).json()["stats"]["stop_reason"] == "toolCalls"


@pytest.mark.parametrize(("path", "asked"), [(CHAT, {"messages": RHYMES}), (TEXT, {"prompt": "a"})])
async def test_a_stream_has_them_in_its_last_chunk(
    api: Api, path: str, asked: dict[str, Any]
) -> None:
    *chunks, done = events(await api.post(path, {"model": api.model, "stream": True, **asked}))
    assert done == "[DONE]"
    assert all("stats" not in chunk for chunk in chunks[:-1])
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["stats"].keys() == STATS
    assert {"model_info", "runtime"} <= chunks[-1].keys()


async def test_embeddings_are_openais(api: Api) -> None:
    body = {"model": api.model, "input": "Some text to embed"}
    answer = (await api.post("/api/v0/embeddings", body)).json()
    assert answer.keys() == {"object", "data", "model", "usage"}
    assert answer["data"][0].keys() == {"object", "embedding", "index"}
