"""GET /metrics: what was asked, computed and waited for."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lmnb.errors import EngineDied
from tests.api.conftest import Api
from tests.scripted import Script


async def figures(api: Api) -> dict[str, float]:
    """By name and, where there is one, reason; of this test's model."""
    response = await api.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        "/".join([sample.name, *filter(None, [sample.labels.get("reason")])]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.labels.get("model", api.model) == api.model and "le" not in sample.labels
    }


async def test_a_request_is_counted_with_its_tokens(api: Api) -> None:
    await api.chat()
    before = await figures(api)
    await api.chat()
    after = await figures(api)
    expected = {
        "lmnb_requests_total/stop": 1,
        "lmnb_prompt_tokens_total": 7,
        "lmnb_cached_tokens_total": 3,
        "lmnb_completion_tokens_total": 4,
        "lmnb_first_token_seconds_count": 1,
        "lmnb_first_token_seconds_sum": pytest.approx(0.03),
        "lmnb_requests_running": 0,
        "lmnb_requests_waiting": 0,
    }
    assert {name: after[name] - before[name] for name in expected} == expected
    assert after["lmnb_models_loaded"] >= 1


async def test_waiting_running_and_abandoned_requests_show(api: Api) -> None:
    go = asyncio.Event()
    api.script(Script(hold=go))
    before = await figures(api)
    async with api.open_stream() as response:
        lines = response.aiter_lines()
        await anext(lines)
        now = await figures(api)
        assert now["lmnb_requests_waiting"] == before["lmnb_requests_waiting"] + 1
        go.set()
        async for _ in lines:
            pass
    assert (await figures(api))["lmnb_requests_running"] == before["lmnb_requests_running"]


async def test_a_request_that_fails_leaves_nothing_running(api: Api) -> None:
    before = await figures(api)
    api.script(Script(["One"], fail=EngineDied("It died.")))
    await api.chat()
    after = await figures(api)
    assert after["lmnb_requests_running"] == before["lmnb_requests_running"]
    name = "lmnb_requests_total/abandoned"
    assert after[name] == before.get(name, 0) + 1
