"""Fields of vLLM's and SGLang's: what they do, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from lmnb.engine.options import TokenRules
from tests.api.conftest import Api, events
from tests.scripted import TEMPLATE, Script

CHAT, TEXT, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    TEXT: {"prompt": "Hi"},
    RESPONSES: {"input": "Hi", "store": False},
}
RULES = {
    "min_tokens": 2,
    "stop_token_ids": [5, 6],
    "include_stop_str_in_output": True,
    "allowed_token_ids": [1, 2],
    "skip_special_tokens": False,
}


@pytest.mark.parametrize("path", BODIES)
async def test_rules_reach_the_engine(api: Api, path: str) -> None:
    assert (await api.post(path, {**BODIES[path], **RULES})).status_code == 200
    assert api.engine.requests[0].rules == TokenRules(
        least=2, stop=(5, 6), keep_stop=True, allowed=(1, 2), controls=True
    )


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_beam_search", True),
        ("prompt_logprobs", 1),
        ("truncate_prompt_tokens", 5),
        ("bad_words", ["bad"]),
        ("logits_processors", ["module.function"]),
        ("vllm_xargs", {"a": 1}),
        ("allowed_token_ids", []),
        ("min_tokens", -1),
        ("stop_token_ids", ["a"]),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    api: Api, path: str, field: str, value: Any
) -> None:
    answer = await api.post(path, {**BODIES[path], field: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(field)
    assert api.engine.requests == []


@pytest.mark.parametrize("field", ["chat_template", "documents", "echo"])
async def test_a_conversation_has_refusals_of_its_own(api: Api, field: str) -> None:
    answer = await api.chat(**{field: "x"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "a", "truncate_prompt_tokens": 5}),
        ("/v1/embeddings", {"input": "a", "add_special_tokens": False}),
        ("/v1/embeddings", {"messages": [{"role": "user", "content": "a"}]}),
        ("/v1/rerank", {"query": "a", "documents": ["b"], "max_tokens_per_doc": 5}),
        (TEXT, {"prompt": "a", "add_special_tokens": False}),
    ],
)
async def test_an_input_is_neither_cut_nor_begun_otherwise(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    answer = await api.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == list(body)[-1]


@pytest.mark.parametrize("path", BODIES)
async def test_fields_that_say_nothing_or_only_hint_are_fine(api: Api, path: str) -> None:
    neutral = {"use_beam_search": False, "bad_words": [], "vllm_xargs": {}, "prompt_logprobs": None}
    hints = {"priority": 1, "request_id": "r", "cache_salt": "s", "length_penalty": 1.5}
    body = {**BODIES[path], **neutral, **hints, "spaces_between_special_tokens": False}
    assert (await api.post(path, body)).status_code == 200


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_usage_can_grow_with_the_answer(api: Api, path: str) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    body = {**BODIES[path], "stream": True, "stream_options": options}
    *chunks, last, _ = events(await api.post(path, body))
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert counts == sorted(counts)
    assert counts[-1] == last["usage"]["completion_tokens"] == 4
    assert {chunk["usage"]["prompt_tokens"] for chunk in chunks} == {7}


async def test_without_usage_there_is_none_that_grows(api: Api) -> None:
    chunks = await api.chat_events(stream_options={"continuous_usage_stats": True})
    assert all(chunk == "[DONE]" or "usage" not in chunk for chunk in chunks)


IDS = [ord(text[0]) for text in Script().texts]


@pytest.mark.parametrize("fields", [{}, {"logprobs": True}])
async def test_a_chats_token_ids(api: Api, fields: dict[str, Any]) -> None:
    answer = (await api.chat(return_token_ids=True, **fields)).json()
    assert answer["prompt_token_ids"] == list(range(7))
    assert answer["choices"][0]["token_ids"] == IDS
    assert (answer["choices"][0]["logprobs"] is None) == (not fields)
    first, *chunks, _ = await api.chat_events(return_token_ids=True, **fields)
    assert first["prompt_token_ids"] == list(range(7))
    assert not any("prompt_token_ids" in chunk for chunk in chunks)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [id for choice in choices for id in choice.get("token_ids", ())] == IDS


async def test_token_ids_of_thinking_count_too_and_it_can_be_left_out(api: Api) -> None:
    script = Script(texts=("<think>", "hmm", "</think>", "yes"))
    api.engine.chat_template = TEMPLATE + "{# <think></think> #}"
    api.script(script)
    asked = {"return_token_ids": True, "include_reasoning": False}
    answer = (await api.chat(**asked)).json()["choices"][0]
    assert answer["message"]["content"] == "yes"
    assert "reasoning_content" not in answer["message"]
    ids = [ord(text[0]) for text in script.texts]
    assert answer["token_ids"] == ids
    chunks = (await api.chat_events(**asked))[:-1]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [id for choice in choices for id in choice.get("token_ids", ())] == ids
    assert not any("reasoning_content" in choice["delta"] for choice in choices)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_completions_token_ids(api: Api, stream: bool) -> None:
    body = {"prompt": ["a", "b"], "return_token_ids": True, "stream": stream}
    response = await api.post(TEXT, body)
    answers = events(response)[:-1] if stream else [response.json()]
    choices = [choice for answer in answers for choice in answer["choices"]]
    for index in (0, 1):
        own = [choice for choice in choices if choice["index"] == index]
        assert own[0]["prompt_token_ids"] == list(range(7))
        assert [id for choice in own for id in choice.get("token_ids", ())] == IDS


async def test_log_probabilities_can_name_tokens_by_number(api: Api) -> None:
    asked = {"return_tokens_as_token_ids": True}
    named = [f"token_id:{id}" for id in IDS]
    answer = (await api.chat(logprobs=True, top_logprobs=1, **asked)).json()
    content = answer["choices"][0]["logprobs"]["content"]
    assert [one["token"] for one in content] == named
    assert all(one["top_logprobs"][0]["token"].startswith("token_id:") for one in content)
    answer = (await api.post(TEXT, {"prompt": "a", "logprobs": 1, **asked})).json()
    assert answer["choices"][0]["logprobs"]["tokens"] == named
