"""Fields of llama-server's: what they do, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, events
from tests.scripted import Script

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    TEXT: {"prompt": "Hi"},
}
READ = Script(prefill=(3, 5, 7))
"""Seven tokens, of which three were there."""


async def stream(api: Api, path: str, **fields: Any) -> list[Any]:
    *chunks, done = events(await api.post(path, {**BODIES[path], "stream": True, **fields}))
    assert done == "[DONE]"
    return chunks


@pytest.mark.parametrize("path", BODIES)
async def test_a_stream_says_how_much_of_the_prompt_is_read(api: Api, path: str) -> None:
    api.script(READ)
    chunks = await stream(api, path, return_progress=True)
    assert api.engine.requests[0].progress
    said = [chunk["prompt_progress"] for chunk in chunks if "prompt_progress" in chunk]
    assert [one["processed"] for one in said] == [3, 5, 7]
    assert {(one["total"], one["cache"]) for one in said} == {(7, 3)}
    assert all(one["time_ms"] >= 0 for one in said)
    assert all("timings" not in chunk for chunk in chunks[:-1])


@pytest.mark.parametrize("path", BODIES)
async def test_chunks_can_say_how_long_it_took_so_far(api: Api, path: str) -> None:
    api.script(READ)
    chunks = await stream(api, path, timings_per_token=True)
    timings = [chunk["timings"] for chunk in chunks if "timings" in chunk]
    assert "timings" not in chunks[0] or path == TEXT
    assert not any("prompt_progress" in chunk for chunk in chunks)
    assert [one["predicted_n"] for one in timings] == [1, 2, 3, 4, 4]
    assert {(one["cache_n"], one["prompt_n"]) for one in timings} == {(3, 4)}
    assert timings[0]["predicted_per_second"] == 0, "the first token took no step of its own"
    assert timings[0].keys() < timings[-1].keys()
    assert timings[-1]["prompt_per_second"] == pytest.approx(200)
    assert timings[-1]["predicted_per_token_ms"] == pytest.approx(100 / 3)


async def test_without_asking_a_stream_has_figures_at_its_end_only(api: Api) -> None:
    api.script(READ)
    *chunks, end = await stream(api, CHAT)
    assert not api.engine.requests[0].progress
    assert all("prompt_progress" not in chunk and "timings" not in chunk for chunk in chunks)
    assert end["timings"]["prompt_n"] == 4


@pytest.mark.parametrize("path", BODIES)
async def test_other_names_of_limits_are_known(api: Api, path: str) -> None:
    asked = {"n_predict": 2, "n_cmpl": 2, "t_max_predict_ms": 1500}
    answer = (await api.post(path, {**BODIES[path], **asked})).json()
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length"] * 2
    assert [request.max_tokens for request in api.engine.requests] == [2, 2]
    assert {request.rules.seconds for request in api.engine.requests} == {1.5}


async def test_thinking_is_switched_by_a_field_too(api: Api) -> None:
    api.engine.chat_template = "{{ enable_thinking }}"
    asked = {**BODIES[CHAT], "enable_thinking": False}
    assert (await api.post("/v1/apply-template", asked)).json() == {"prompt": "False"}
    asked["chat_template_kwargs"] = {"enable_thinking": True}
    assert (await api.post("/v1/apply-template", asked)).json() == {"prompt": "True"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_probs", 5),
        ("post_sampling_probs", True),
        ("n_indent", 4),
        ("grammar_lazy", True),
        ("lora", [{"id": 0, "scale": 0.5}]),
        ("t_max_predict_ms", "soon"),
        ("n_predict", -2),
        ("return_progress", "yes"),
        ("reasoning_budget_message", "Enough."),
    ],
)
@pytest.mark.parametrize("path", BODIES)
async def test_what_cannot_be_done_is_refused_by_name(
    api: Api, path: str, field: str, value: Any
) -> None:
    answer = await api.post(path, {**BODIES[path], field: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field
    assert api.engine.requests == []


@pytest.mark.parametrize(
    ("field", "value"), [("reasoning_format", "none"), ("parse_tool_calls", False)]
)
async def test_a_chat_is_always_taken_apart(api: Api, field: str, value: Any) -> None:
    answer = await api.chat(**{field: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize("path", BODIES)
async def test_hints_and_what_says_nothing_are_fine(api: Api, path: str) -> None:
    hints = {
        "cache_prompt": False,
        "id_slot": 3,
        "n_keep": -1,
        "n_discard": 0,
        "return_tokens": True,
    }
    neutral = {"n_probs": 0, "lora": [], "grammar_lazy": False, "post_sampling_probs": False}
    usual = {"reasoning_format": "auto", "parse_tool_calls": True, "t_max_predict_ms": -1}
    body = {**BODIES[path], **hints, **neutral, **usual, "response_fields": [], "speculative": {}}
    assert (await api.post(path, body)).status_code == 200
    assert api.engine.requests[0].rules.seconds is None
