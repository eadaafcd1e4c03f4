"""POST /api/v1/models/estimate, and what a load says of memory."""

from __future__ import annotations

import pytest

from lmnb.models.memory.need import Device, Machine
from tests.api.conftest import Api

ESTIMATE, LOAD = "/api/v1/models/estimate", "/api/v1/models/load"


class Small:
    """A machine with 1 MiB."""

    def look(self) -> Machine:
        return Machine(Device("CPU", "cpu", 1 << 20, 1 << 20))


async def test_it_says_what_a_load_would_take_and_loads_nothing(api: Api) -> None:
    answer = (await api.post(ESTIMATE, {"model": api.model, "parallel": 2})).json()
    (cpu,) = answer["devices"]
    parts = ("weights_bytes", "kv_cache_bytes", "compute_bytes", "projector_bytes")
    assert cpu["total_required_bytes"] == sum(cpu[part] for part in parts) == answer["total_bytes"]
    assert answer["load_config"]["slots"] == 2
    assert answer["load_config"]["context_length"] == answer["max_context_length"] == 2048
    assert (answer["fit"], answer["guardrail"]["allowed"]) == ("cpu", True)
    assert not api.factory.loads


async def test_a_load_can_be_asked_for_the_same(api: Api) -> None:
    options = {"model": api.model, "context_length": 512, "guardrail": "strict"}
    expected = (await api.post(ESTIMATE, options)).json()
    answer = await api.post(LOAD, {**options, "estimate_only": True, "identifier": "mine"})
    assert answer.json()["total_bytes"] == expected["total_bytes"]
    assert answer.json()["guardrail"]["mode"] == "strict"
    assert not api.factory.loads


async def test_saved_settings_count(api: Api) -> None:
    body = {"context_length": 768, "slots": 1}
    assert (await api.client.put(f"/api/v1/models/settings/{api.model}", json=body)).is_success
    answer = (await api.post(ESTIMATE, {"model": api.model})).json()
    assert answer["load_config"]["context_length"] == 768


async def test_a_refusal_is_part_of_the_answer(api: Api) -> None:
    api.services.estimates.machine = Small()
    answer = (await api.post(ESTIMATE, {"model": api.model})).json()
    assert answer["fit"] == "too_large"
    assert not answer["guardrail"]["allowed"]
    assert "'guardrail': 'off' loads it anyway" in answer["guardrail"]["reason"]
    body = {"model": api.model, "guardrail": "off"}
    assert (await api.post(ESTIMATE, body)).json()["guardrail"]["reason"] is None


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "nothing"}, 404, "model"),
        ({}, 400, "model"),
        ({"slots": 99}, 400, "slots"),
        ({"layers": 2}, 400, "layers"),
        ({"guardrail": "none"}, 400, "guardrail"),
        ({"cache_type_k": "q1"}, 400, "cache_type_k"),
    ],
)
async def test_what_cannot_be_is_refused(
    api: Api, body: dict[str, object], status: int, param: str
) -> None:
    asked = body if "model" in body or not body else {"model": api.model, **body}
    answer = await api.post(ESTIMATE, asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_a_load_says_what_was_estimated(api: Api) -> None:
    answer = (await api.post(LOAD, {"model": api.model})).json()
    expected = (await api.post(ESTIMATE, {"model": api.model})).json()
    assert answer["estimated_memory_bytes"] == expected["total_bytes"]


async def test_the_status_says_which_gpus_there_are_or_why_none(api: Api) -> None:
    machine = (await api.client.get("/api/v1/status")).json()["machine"]
    assert machine["gpus"] or "GPU" in machine["gpus_reason"]
    assert 0 < machine["memory_available_bytes"] <= machine["memory_total_bytes"]
    card = Device("CUDA0", "gpu", 8 << 30, 6 << 30, description="A card")

    class WithGpu:
        def look(self) -> Machine:
            return Machine(Device("CPU", "cpu", 1 << 34, 1 << 33), (card,))

    api.services.estimates.machine = WithGpu()
    machine = (await api.client.get("/api/v1/status")).json()["machine"]
    assert machine["gpus"] == [
        {
            "name": "CUDA0",
            "description": "A card",
            "memory_total_bytes": 8 << 30,
            "memory_free_bytes": 6 << 30,
            "shared_memory": False,
        }
    ]
