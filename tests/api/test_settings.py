"""Settings of a model: what is saved holds on every path, from its next load on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.scripted import Script

LOAD, UNLOAD = "/api/v1/models/load", "/api/v1/models/unload"


def path(api: Api) -> str:
    return f"/api/v1/models/settings/{api.model}"


async def save(api: Api, **options: Any) -> dict[str, Any]:
    answer = await api.client.put(path(api), json=options)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/responses", {"input": "Hi"}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}),
        ("/v1/embeddings", {"input": "Hi"}),
        ("/v1/tokenize", {"content": "Hi"}),
        ("/api/v0/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/api/v1/chat", {"input": "Hi"}),
        (LOAD, {}),
    ],
)
async def test_every_way_to_load_a_model_uses_them(
    api: Api, route: str, body: dict[str, Any]
) -> None:
    await save(api, context_length=77, parallel=2)
    answer = await api.client.post(route, json={"model": api.model, **body})
    assert answer.status_code == 200, answer.text
    ((_, options),) = api.factory.loads
    assert (options.context_length, options.slots) == (77, 2)


async def test_they_are_shown_with_what_a_load_would_take(api: Api) -> None:
    saved = await save(api, eval_batch_size=64)
    assert saved == (await api.client.get(path(api))).json()
    assert saved["model"] == api.model
    assert saved["settings"] == {"batch_size": 64}
    assert (saved["effective"]["batch_size"], saved["effective"]["slots"]) == (64, 4)
    gone = (await api.client.delete(path(api))).json()
    assert (gone["settings"], gone["effective"]["batch_size"]) == ({}, 2048)


async def test_a_call_comes_first(api: Api) -> None:
    await save(api, slots=2, threads=3)
    body = {"model": api.model, "slots": 5, "echo_load_config": True}
    config = (await api.post(LOAD, body)).json()["load_config"]
    assert config["slots"] == 5
    assert api.factory.loads[0][1].threads == 3


async def test_what_is_loaded_stays_and_says_that_it_was_loaded_otherwise(api: Api) -> None:
    await api.chat()
    assert (await save(api, slots=2))["needs_reload"] is True
    (loaded,) = (await api.client.get("/api/v1/status")).json()["loaded"]
    assert (loaded["needs_reload"], loaded["config"]["slots"]) == (True, 4)
    await api.post(UNLOAD, {"instance_id": api.model})
    await api.chat()
    assert (await api.client.get(path(api))).json()["needs_reload"] is False
    (model,) = (await api.client.get("/api/v1/models")).json()["models"]
    assert model["loaded_instances"][0]["config"]["parallel"] == 2


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"slots": 1000}, "slots"),
        ({"slots": "many"}, "slots"),
        ({"color": "red"}, "color"),
        ({"flash_attention": False, "cache_type_v": "q4_0"}, "cache_type_v"),
    ],
)
async def test_what_no_load_would_take_is_not_saved(
    api: Api, options: dict[str, Any], param: str
) -> None:
    answer = await api.client.put(path(api), json=options)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert (await api.client.get(path(api))).json()["settings"] == {}


@pytest.mark.parametrize("verb", ["get", "put", "delete"])
async def test_a_model_that_is_not_here_has_none(api: Api, verb: str) -> None:
    answer = await api.client.request(verb, "/api/v1/models/settings/nobody/here", content="{}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


async def test_a_change_is_announced(api: Api) -> None:
    with api.services.notices.subscribe() as subscription:
        await save(api, slots=2)
    (notice,) = [notice async for notice in subscription]
    assert notice.kind == "settings.changed"
    assert notice.data == {"model": api.model, "settings": {"slots": 2}}


# -- unload


async def test_an_unload_waits_or_says_that_it_cannot(api: Api) -> None:
    api.script(Script(forever=True))
    body = {"instance_id": api.model}
    async with api.open_stream() as response:
        await anext(response.aiter_bytes())
        refused = await api.post(UNLOAD, {**body, "wait": 0})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_use")
    assert (await api.post(UNLOAD, body)).json() == body


async def test_an_unload_that_cancels_fails_what_runs(api: Api) -> None:
    api.script(Script(forever=True))
    async with api.open_stream() as response:
        lines = response.aiter_lines()
        await anext(lines)
        body = {"instance_id": api.model, "cancel_running": True}
        assert (await api.post(UNLOAD, body)).status_code == 200
        rest = [line async for line in lines]
    assert '"code":"service_closed"' in rest[-2]


async def test_a_further_instance_has_a_number_and_a_name_of_its_own(api: Api) -> None:
    first = await api.post(LOAD, {"model": api.model})
    again = await api.post(LOAD, {"model": api.model})
    other = await api.post(LOAD, {"model": api.model, "context_length": 99, "stream": True})
    twin = await api.post(LOAD, {"model": api.model, "new_instance": True})
    assert again.json()["instance_id"] == first.json()["instance_id"] == api.model
    datas = [json.loads(line[6:]) for line in other.text.splitlines() if line.startswith("data")]
    assert {data["model_instance_id"] for data in datas} == {f"{api.model}:2"}
    assert twin.json()["instance_id"] == f"{api.model}:3"
