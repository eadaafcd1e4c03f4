"""llama-server's helpers. The scripted engine has a token for each byte."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lmnb.api.openai.tokenize import only_model
from tests.api.conftest import Api


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_text_becomes_tokens_and_text_again(api: Api, prefix: str) -> None:
    asked = {"model": api.model, "content": "Hé"}
    answer = (await api.post(f"{prefix}/tokenize", asked)).json()
    assert answer == {"tokens": [72, 195, 169], "count": 3, "max_model_len": 2048}
    back = await api.post(f"{prefix}/detokenize", {"model": api.model, "tokens": answer["tokens"]})
    assert back.json() == {"content": "Hé", "prompt": "Hé"}


async def test_pieces_are_text_or_where_they_are_half_a_character_bytes(api: Api) -> None:
    answer = await api.post("/v1/tokenize", {"content": "Hé", "with_pieces": True})
    assert answer.json()["tokens"] == [
        {"id": 72, "piece": "H"},
        {"id": 195, "piece": [195]},
        {"id": 169, "piece": [169]},
    ]


async def test_a_prompt_is_vllms_word_for_a_text_which_has_strings_beside_its_tokens(
    api: Api,
) -> None:
    answer = (await api.post("/tokenize", {"prompt": "ab"})).json()
    assert answer == {"tokens": [97, 98], "count": 2, "max_model_len": 2048, "token_strs": None}
    answer = (await api.post("/tokenize", {"prompt": "ab", "return_token_strs": True})).json()
    assert answer["token_strs"] == ["a", "b"]


async def test_messages_become_the_prompt_a_chat_would_have(api: Api) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    answer = await api.post("/v1/apply-template", {"messages": messages})
    assert answer.json() == {"prompt": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"}
    await api.chat("Hi")
    (span,) = api.engine.requests[-1].prompt
    assert span.text == answer.json()["prompt"]
    assert len(api.engine.requests) == 1, "nothing was computed for it"


async def test_a_conversation_becomes_the_tokens_of_its_prompt(api: Api) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}], "with_pieces": True}
    prompt = (await api.post("/v1/apply-template", asked)).json()["prompt"]
    answer = (await api.post("/v1/tokenize", asked)).json()
    assert "".join(token["piece"] for token in answer["tokens"]) == prompt
    assert answer["count"] == len(prompt)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/tokenize", {"content": "Hi"}),
        ("/v1/tokenize", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/detokenize", {"tokens": [72]}),
        ("/v1/chat/completions/input_tokens", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/responses/input_tokens", {"input": "Hi"}),
    ],
)
async def test_a_model_is_in_use_while_it_is_asked_for_tokens(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    """Or an idle time-out, or room for another model, would take it away under the question."""
    users: list[int] = []

    def watched(genuine: Any) -> Any:
        async def method(*given: Any, **named: Any) -> Any:
            (model,) = api.services.manager.loaded()
            users.append(model.in_flight)
            return await genuine(*given, **named)

        return method

    for name in ("tokenize", "detokenize"):
        monkeypatch.setattr(api.engine, name, watched(getattr(api.engine, name)))
    assert (await api.post(path, fields)).status_code == 200
    assert users and set(users) == {1}
    (model,) = api.services.manager.loaded()
    assert model.in_flight == 0


async def test_the_one_model_need_not_be_named(api: Api) -> None:
    answer = await api.post("/tokenize", {"content": "a"})
    assert answer.json()["tokens"] == [97]
    await api.post("/api/v1/models/load", {"model": api.model, "identifier": "other"})
    answer = await api.post("/tokenize", {"content": "a"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"


async def test_models_that_make_vectors_are_not_meant() -> None:
    def loaded(name: str, pooling: str | None) -> Any:
        facts = SimpleNamespace(pooling=pooling)
        return SimpleNamespace(id=name, engine=SimpleNamespace(facts=facts))

    manager: Any = SimpleNamespace(loaded=lambda: [loaded("vectors", "mean"), loaded("text", None)])
    assert await only_model(manager) == "text"
    manager.loaded = lambda: [loaded("vectors", "mean")]
    assert await only_model(manager) == "vectors"


async def test_the_tokenizer_tells_what_lm_evaluation_harness_asks(api: Api) -> None:
    info = (await api.client.get("/tokenizer_info")).json()
    assert (info["bos_token"], info["eos_token"]) == ("<s>", "</s>")
    assert "messages" in info["chat_template"]
    asked = {"prompt": "ab", "add_special_tokens": False}
    assert (await api.post("/tokenize", asked)).json()["tokens"] == [97, 98]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("tokenize", {}, "content"),
        ("tokenize", {"content": 5}, "content"),
        ("tokenize", {"messages": [{"role": "user"}]}, "messages[0].content"),
        ("detokenize", {"tokens": "x"}, "tokens"),
        ("detokenize", {"tokens": [-1]}, "tokens[0]"),
        ("detokenize", {"tokens": [10**6]}, "tokens"),
        ("apply-template", {"messages": []}, "messages"),
    ],
)
async def test_wrong_bodies_are_refused(api: Api, path: str, body: Any, param: str) -> None:
    answer = await api.post(f"/v1/{path}", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_a_conversation_is_counted_as_it_would_be_computed(api: Api) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    prompt = (await api.post("/v1/apply-template", asked)).json()["prompt"]
    counted = await api.post("/v1/chat/completions/input_tokens", asked)
    assert not api.engine.requests, "nothing was computed for it"
    assert counted.json() == {
        "object": "response.input_tokens",
        "input_tokens": len(prompt),
        "context_length": 2048,
    }
