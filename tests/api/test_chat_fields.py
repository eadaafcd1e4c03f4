"""Limits and sampling of a chat, as the engine is told them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 2}, 2),
        ({"max_tokens": 2.0}, 2),
        ({"max_tokens": 9, "max_completion_tokens": 3}, 3),
        ({"max_tokens": 10**15}, None),
    ],
)
async def test_token_limits(api: Api, fields: dict[str, Any], limit: int | None) -> None:
    await api.chat(**fields)
    assert api.engine.requests[0].max_tokens == limit


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"thinking_budget_tokens": 9}, 9),
        ({"thinking_token_budget": 0}, 0),
        ({"thinking_budget_tokens": -1}, None),
        ({}, None),
    ],
)
async def test_limits_of_thinking(api: Api, fields: dict[str, Any], tokens: int | None) -> None:
    api.engine.chat_template = "{# <think></think> #}"
    assert (await api.chat(**fields)).status_code == 200
    limit = api.engine.requests[0].thinking
    assert (limit and limit.tokens) == tokens


async def test_reaching_the_limit_is_finish_reason_length(api: Api) -> None:
    answer = (await api.chat(max_tokens=2)).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2


async def test_every_sampling_field_reaches_the_engine(api: Api) -> None:
    fields = {
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 7,
        "min_p": 0.1,
        "typical_p": 0.9,
        "repetition_penalty": 1.1,
        "presence_penalty": -2,
        "frequency_penalty": 2,
        "xtc_probability": 0.2,
        "dry_multiplier": 0.8,
        "mirostat": 2,
        "logit_bias": {"11": -100},
    }
    answer = await api.chat(**fields, ignore_eos=True, stop="x")
    assert answer.status_code == 200, answer.text
    request = api.engine.requests[0]
    sampling = request.sampling
    assert (sampling.temperature, sampling.repeat_penalty, sampling.mirostat) == (1.0, 1.1, 2)
    assert sampling.logit_bias == ((11, -100.0),)
    assert request.stop == ("x",)
    assert request.ignore_eos


async def test_tokens_are_biased_as_llama_servers_clients_write_it(api: Api) -> None:
    pairs = [[5, 1], [6, False], [" so", -2.5], ["no", False]]
    assert (await api.chat(logit_bias=pairs)).status_code == 200
    sampling = api.engine.requests[0].sampling
    assert sampling.logit_bias == ((5, 1.0), (6, -1e6))
    assert sampling.text_bias == ((" so", -2.5), ("no", -1e6))


@pytest.mark.parametrize(
    "said", ["kpt", ["top_k", "top_p", "temperature"], ["top-k", "nucleus", "temp"]]
)
async def test_the_order_of_samplers_can_be_said(api: Api, said: Any) -> None:
    assert (await api.chat(samplers=said, min_keep=3)).status_code == 200
    sampling = api.engine.requests[0].sampling
    assert sampling.samplers == ("top_k", "top_p", "temperature")
    assert sampling.min_keep == 3
