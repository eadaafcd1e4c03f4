"""Downloads over HTTP: LM Studio's answers, and what is ours beside them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_openapi import answer_schema, validate
from tests.hub import Fault, StandInHub
from tests.hub.models import TINY

ROUTE = "/api/v1/models/download"
Q4 = f"{TINY}/Tiny-Llama-Q4_K_M.gguf"


async def finished(api: Api, id: str) -> Any:
    for _ in range(3000):
        status = (await api.client.get(f"{ROUTE}/status/{id}")).json()
        validate(status, answer_schema(f"{ROUTE}/status/{{job_id}}", "get"))
        if status["state"] not in ("queued", "downloading"):
            return status
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_a_model_is_fetched_as_from_lm_studio(api: Api, hub: StandInHub) -> None:
    asked = await api.post(ROUTE, {"model": TINY, "quantization": "Q4_K_M"})
    assert asked.status_code == 200, asked.text
    validate(asked.json(), answer_schema(ROUTE, "post"))
    assert asked.json().keys() >= {"job_id", "status", "total_size_bytes", "started_at"}
    status = await finished(api, asked.json()["job_id"])
    assert status["status"] == "completed"
    assert status["downloaded_bytes"] == status["total_size_bytes"]
    assert status["started_at"] <= status["completed_at"]
    again = await api.post(ROUTE, {"model": f"{hub.url}/{TINY}", "quantization": "q4_k_m"})
    validate(again.json(), answer_schema(ROUTE, "post"))
    assert again.json()["status"] == "already_downloaded"
    jobs = (await api.client.get(ROUTE)).json()
    validate(jobs, answer_schema(ROUTE, "get"))
    assert [job["job_id"] for job in jobs["downloads"]] == [status["job_id"]]


async def test_a_download_is_paused_resumed_and_cancelled(api: Api, hub: StandInHub) -> None:
    hub.arm(Q4, Fault(bytes_per_second=40_000, times=None))
    job = {"job_id": (await api.post(ROUTE, {"model": f"{TINY}@q4_k_m"})).json()["job_id"]}
    states = []
    for verb in ("pause", "resume", "cancel"):
        answer = await api.post(f"{ROUTE}/{verb}", job)
        assert answer.status_code == 200, answer.text
        validate(answer.json(), answer_schema(f"{ROUTE}/{verb}", "post"))
        states.append((answer.json()["status"], answer.json()["state"]))
    assert states[0] == ("paused", "paused")
    assert states[1][0] == "downloading"
    assert states[2] == ("failed", "cancelled")
    late = await api.post(f"{ROUTE}/resume", job)
    assert (late.status_code, late.json()["error"]["param"]) == (400, "job_id")


async def test_a_server_that_downloads_is_busy(api: Api, hub: StandInHub) -> None:
    """Else Jupyter would shut it down under the download."""
    hub.arm(Q4, Fault(bytes_per_second=40_000, times=None))
    id = (await api.post(ROUTE, {"model": f"{TINY}@q4_k_m"})).json()["job_id"]
    assert api.services.activity.running == 1
    hub.faults.clear()
    await api.post(f"{ROUTE}/cancel", {"job_id": id})
    for _ in range(3000):
        if not api.services.activity.running:
            break
        await asyncio.sleep(0.01)
    assert api.services.activity.running == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "tiny-labs/none"}, 404, "model_not_found"),
        ({"model": "https://example.com/x"}, 400, "invalid_model_name"),
        ({"model": "tiny-labs/Tiny-Gemma-it-GGUF"}, 403, "gated_model"),
        ({"model": "tiny-labs/Tiny-Secret-GGUF"}, 404, "model_not_found"),
        ({"model": TINY, "revision": "v9"}, 404, "model_not_found"),
        ({"model": TINY, "quantization": "Q2_K"}, 404, "model_not_found"),
        ({"model": ""}, 400, "invalid_value"),
        ({}, 400, "missing_required_parameter"),
    ],
)
async def test_refusals_name_the_reason(
    api: Api, hub: StandInHub, body: Any, status: int, code: str
) -> None:
    answer = await api.post(ROUTE, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


async def test_unknown_jobs_are_not_found(api: Api, hub: StandInHub) -> None:
    assert (await api.client.get(f"{ROUTE}/status/job_none")).status_code == 404
    for verb in ("pause", "resume", "cancel"):
        answer = await api.post(f"{ROUTE}/{verb}", {"job_id": "job_none"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "job_id")


async def test_a_name_that_could_be_several_is_answered_with_them(
    api: Api, hub: StandInHub
) -> None:
    answer = await api.post(ROUTE, {"model": "gemma-3"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ambiguous_model")
    assert "bartowski/" in answer.json()["error"]["message"]


async def test_only_who_may_manage_may_download(api: Api, hub: StandInHub) -> None:
    _, text = api.services.keys.create("reader", ["use"], None)
    headers = {"Authorization": f"Bearer {text}"}
    refused = await api.post(ROUTE, {"model": f"{TINY}@q4_k_m"}, headers=headers)
    assert refused.status_code == 403
    assert (await api.client.get(ROUTE, headers=headers)).status_code == 200
