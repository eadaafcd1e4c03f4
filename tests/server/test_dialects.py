"""SDKs and an evaluation harness against `lmnb serve` and a real model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.spawn import Server, lmnb_serve

MODEL = "smollm2-135m-instruct"
KEY = "sk-dialects"
GREEDY: Any = {"extra_body": {"temperature": 0}}
"""Anthropic's SDK has no word for it any more."""
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    with lmnb_serve(folder, "--models", str(smollm2), "--api-key", KEY) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    headers = {"x-api-key": KEY}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    client = anthropic.DefaultHttpxClient(trust_env=False, timeout=60)
    with anthropic.Anthropic(
        base_url=server.url, api_key=KEY, http_client=client, max_retries=0
    ) as sdk:
        yield sdk


def test_anthropics_sdk_streams_what_it_collects(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 24, "messages": QUESTION, **GREEDY}
    plain = claude.messages.create(**asked)
    with claude.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        collected = stream.get_final_message()
    assert text
    (block,) = plain.content
    assert block.type == "text"
    assert block.text == text
    assert collected.stop_reason == plain.stop_reason
    assert collected.usage.output_tokens == plain.usage.output_tokens
    assert collected.usage.cache_read_input_tokens
    read = [
        use.input_tokens + (use.cache_read_input_tokens or 0)
        for use in (plain.usage, collected.usage)
    ]
    counted = claude.messages.count_tokens(model=MODEL, messages=QUESTION)
    assert read == [counted.input_tokens] * 2


def test_anthropics_sdk_stops_where_it_is_told(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 24, "messages": QUESTION, **GREEDY}
    (whole,) = claude.messages.create(**asked).content
    assert whole.type == "text"
    stop = whole.text[8:12]
    answer = claude.messages.create(**asked, stop_sequences=[stop])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)
    (block,) = answer.content
    assert block.type == "text"
    assert block.text == whole.text[: whole.text.index(stop)]


def test_a_small_model_makes_a_valid_call(claude: anthropic.Anthropic) -> None:
    """`any` is held by a grammar; text comes back after the result."""
    asked: Any = {
        "model": MODEL,
        "max_tokens": 200,
        "tools": [
            {
                "name": "get_capital",
                "description": "The capital of a country",
                "input_schema": {
                    "type": "object",
                    "properties": {"country": {"type": "string", "maxLength": 20}},
                    "required": ["country"],
                    "additionalProperties": False,
                },
            }
        ],
        **GREEDY,
    }
    with claude.messages.stream(**asked, messages=QUESTION, tool_choice={"type": "any"}) as stream:
        answer = stream.get_final_message()
    call = answer.content[-1]
    assert call.type == "tool_use"
    assert call.name == "get_capital"
    assert isinstance(call.input, dict)
    assert isinstance(call.input["country"], str)
    assert answer.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Paris"}
    messages = [
        *QUESTION,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    final = claude.messages.create(**asked, messages=messages, tool_choice={"type": "none"})
    assert final.content[0].type == "text"


def test_loglikelihoods_as_lm_evaluation_harness_asks_for_them(http: httpx.Client) -> None:
    """Its `local-completions`: prompts as token ids, several at once, echo, one token more. The
    arithmetic is that of its `parse_logprobs`."""
    context = "Question: What is the capital of France?\nAnswer:"

    def tokens(text: str) -> list[int]:
        return list(
            http.post("/v1/tokenize", json={"content": text, "model": MODEL}).json()["tokens"]
        )

    endings = [" Paris", " Rome", " a banana"]
    prompts = [tokens(context) + tokens(ending) for ending in endings]
    body = {"model": MODEL, "prompt": prompts, "max_tokens": 1, "echo": True, "logprobs": 1}
    answer = http.post("/v1/completions", json={**body, "temperature": 0, "seed": 1234})
    scores, length = [], len(tokens(context))
    for choice in answer.json()["choices"]:
        logprobs = choice["logprobs"]
        own = logprobs["token_logprobs"][length:-1]
        best = logprobs["top_logprobs"][length:-1]
        assert logprobs["token_logprobs"][0] is None
        assert len(logprobs["token_logprobs"]) == len(prompts[choice["index"]]) + 1
        greedy = all(chance == max(top.values()) for chance, top in zip(own, best, strict=True))
        scores.append((sum(own), greedy))
        for piece, offset in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
            assert choice["text"][offset:].startswith(piece)
    chances = [chance for chance, _ in scores]
    assert chances == sorted(chances, reverse=True), "Paris, Rome, a banana"
    assert all(math.isfinite(chance) and chance < 0 for chance in chances)


def test_scores_of_a_prompt_are_those_of_writing_it(server: Server) -> None:
    with openai.OpenAI(base_url=f"{server.url}v1", api_key=KEY) as sdk:
        asked: Any = {"model": MODEL, "temperature": 0, "logprobs": 0}
        written = sdk.completions.create(**asked, prompt="Once upon a time", max_tokens=8)
        text = f"Once upon a time{written.choices[0].text}"
        scored = sdk.completions.create(**asked, prompt=text, max_tokens=0, echo=True)
    (choice,) = scored.choices
    assert choice.text == text
    assert choice.finish_reason == "length"
    assert scored.usage is not None
    assert scored.usage.completion_tokens == 0
    assert choice.logprobs is not None
    assert written.choices[0].logprobs is not None
    expected = written.choices[0].logprobs.token_logprobs
    assert choice.logprobs.token_logprobs is not None
    assert expected is not None
    assert choice.logprobs.token_logprobs[-8:] == pytest.approx(expected, abs=0.1)


def test_a_model_that_cannot_fill_in_says_so(http: httpx.Client) -> None:
    body = {"model": MODEL, "prompt": "def f(", "suffix": "): pass"}
    refusal = http.post("/v1/completions", json=body)
    assert refusal.status_code == 400
    assert refusal.json()["error"]["param"] == "suffix"


def test_claude_codes_beta_requests_are_answered(claude: anthropic.Anthropic) -> None:
    cache: Any = {"type": "ephemeral"}
    answer = claude.beta.messages.create(
        model=MODEL,
        max_tokens=4,
        system=[{"type": "text", "text": "Be brief.", "cache_control": cache}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": cache}]}
        ],
        betas=["claude-code-20250219", "interleaved-thinking-2025-05-14"],
        metadata={"user_id": "somebody"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        **GREEDY,
    )
    assert answer.content[0].type == "text"
    assert answer.usage.output_tokens <= 4


def test_tokens_of_a_real_model(http: httpx.Client) -> None:
    text = "Grüße 🤗 <|im_start|>"
    asked = {"model": MODEL, "content": text, "with_pieces": True}
    plain = http.post("/tokenize", json=asked).json()["tokens"]
    literal = http.post("/tokenize", json={**asked, "parse_special": False}).json()["tokens"]
    assert plain[-1]["piece"] == "<|im_start|>"
    assert len(literal) > len(plain)
    assert any(isinstance(token["piece"], list) for token in plain), "an emoji in parts"
    for tokens in (plain, literal):
        ids = {"model": MODEL, "tokens": [token["id"] for token in tokens]}
        assert http.post("/detokenize", json=ids).json()["content"] == text


def test_metrics_tell_what_was_done(http: httpx.Client) -> None:
    body = {"model": MODEL, "prompt": "Hello", "max_tokens": 3, "ignore_eos": True}
    http.post("/v1/completions", json=body)
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
    }
    assert samples["lmnb_models_loaded"] == 1
    assert samples["lmnb_completion_tokens_total"] >= 3
    assert samples["lmnb_requests_running"] == 0
    assert samples["lmnb_first_token_seconds_count"] >= 1
