"""What can be run, in OpenAI's words and in LM Studio's; load, unload, import, status."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lmnb.errors import LoadFailed
from tests.api.conftest import Api
from tests.models import raw
from tests.scripted import Script

LOAD = "/api/v1/models/load"


async def test_everything_here_is_listed_loaded_or_not(api: Api) -> None:
    listing = (await api.client.get("/v1/models")).json()
    assert listing["object"] == "list"
    (model,) = listing["data"]
    assert {key: type(model[key]) for key in ("id", "object", "created", "owned_by")} == {
        "id": str,
        "object": str,
        "created": int,
        "owned_by": str,
    }
    assert model["object"] == "model"
    assert api.factory.loads == []


async def test_a_model_is_found_by_an_id_with_slashes(api: Api) -> None:
    await api.post(LOAD, {"model": api.model, "identifier": "team/my model"})
    for path in ("/v1/models/team/my%20model", "/v1/models/" + quote("team/my model", safe="")):
        assert (await api.client.get(path)).json()["id"] == "team/my model"
    for path in (quote(api.model, safe=""), f"{api.model}/"):
        assert (await api.client.get(f"/v1/models/{path}")).status_code == 200
    answer = await api.client.get("/v1/models/team/other")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


async def test_lm_studios_list_shows_what_is_loaded(api: Api) -> None:
    await api.post(LOAD, {"model": api.model, "parallel": 2, "context_length": 512})
    (model,) = (await api.client.get("/api/v1/models")).json()["models"]
    assert model["key"] == api.model
    assert model["format"] == "gguf"
    (instance,) = model["loaded_instances"]
    assert instance["config"]["context_length"] == 512
    assert instance["config"]["parallel"] == instance["config"]["slots"] == 2


async def test_adapters_are_listed_beside_the_models(api: Api, tmp_path: Path) -> None:
    adapter = raw.model(metadata=[raw.string("general.type", "adapter")])
    path = raw.put(tmp_path / "imported" / "style.gguf", adapter)
    answer = (await api.client.get("/api/v1/models")).json()
    assert [model["key"] for model in answer["models"]] == [api.model]
    (found,) = answer["adapters"]
    assert (found["name"], found["architecture"]) == ("style", "llama")
    assert (found["path"], found["size_bytes"]) == (str(path), len(adapter))


async def test_load_answers_with_its_options_when_asked(api: Api) -> None:
    body = {"model": api.model, "echo_load_config": True, "gpu": 0.5, "flash_attention": False}
    answer = (await api.post(LOAD, body)).json()
    assert (answer["status"], answer["instance_id"]) == ("loaded", api.model)
    assert answer["load_config"]["gpu"] == 0.5
    assert "load_config" not in (await api.post(LOAD, {"model": api.model})).json()


async def test_load_tells_its_progress(api: Api) -> None:
    answer = await api.post(LOAD, {"model": api.model, "stream": True})
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    events = [(name.removeprefix("event: "), json.loads(data[6:])) for name, data in blocks]
    assert [name for name, _ in events] == [
        "model_load.start",
        "model_load.progress",
        "model_load.progress",
        "model_load.end",
    ]
    assert all(name == data["type"] for name, data in events)
    assert [data.get("progress") for _, data in events] == [None, 0.5, 1.0, None]
    assert events[-1][1]["instance_id"] == api.model


async def test_a_load_that_fails_half_way_ends_its_stream_with_an_error(api: Api) -> None:
    api.factory.fail = LoadFailed("bad tensor")
    answer = await api.post(LOAD, {"model": api.model, "stream": True})
    last = json.loads(answer.text.strip().rsplit("data: ", 1)[1])
    assert last["type"] == "error"
    assert last["error"]["message"] == "bad tensor"


async def test_a_load_that_fails_at_once_has_a_status(api: Api) -> None:
    api.factory.fail, api.factory.steps = LoadFailed("bad header"), ()
    answer = await api.post(LOAD, {"model": api.model, "stream": True})
    assert answer.status_code == 500
    assert (await api.post(LOAD, {"model": "nothing", "stream": True})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"slots": "x"}, "slots"),
        ({"slots": 65}, "slots"),
        ({"gpu": "some"}, "gpu"),
        ({"cache_type_k": "q1"}, "cache_type_k"),
        ({"lora": [{"scale": 1.0}]}, "lora[0]"),
        ({"contxt_length": 5}, "contxt_length"),
        ({"ttl": 0}, "ttl"),
        ({"num_experts": 0}, "num_experts"),
        ({"model": None}, "model"),
    ],
)
async def test_a_wrong_load_option_is_named(api: Api, fields: dict[str, Any], param: str) -> None:
    answer = await api.post(LOAD, {"model": api.model, **fields})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param, answer.text
    assert api.factory.loads == []


async def test_requests_that_come_together_share_one_load(api: Api) -> None:
    answers = await asyncio.gather(*(api.chat() for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(api.factory.loads) == 1


async def test_unload_gives_the_model_back(api: Api) -> None:
    await api.post(LOAD, {"model": api.model})
    body = {"instance_id": api.model}
    assert (await api.post("/api/v1/models/unload", body)).json() == body
    assert not api.engine.alive
    assert (await api.post("/api/v1/models/unload", body)).status_code == 404


async def test_import_brings_a_file_among_the_models(
    api: Api, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    source = shutil.copy(tiny_model("llama"), tmp_path / "other.gguf")
    answer = await api.post("/api/v1/models/import", {"path": str(source), "mode": "hard_link"})
    assert answer.status_code == 200, answer.text
    key = answer.json()["key"]
    assert key in [one["key"] for one in (await api.client.get("/api/v1/models")).json()["models"]]


async def test_an_import_can_be_tried_without_doing_it(
    api: Api, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    source = shutil.copy(tiny_model("llama"), tmp_path / "other.gguf")
    body = {"path": str(source), "name": "me/mine", "mode": "move", "dry_run": True}
    answer = await api.post("/api/v1/models/import", body)
    assert answer.status_code == 200, answer.text
    [planned] = answer.json()["files"]
    assert planned["source"] == str(source)
    assert planned["target"].endswith("/me/mine/other.gguf")
    assert Path(source).exists()
    assert not Path(planned["target"]).exists()


@pytest.mark.parametrize(
    "path", ["relative.gguf", "", "/nowhere.gguf", "/etc/passwd", "/\0", "/" + "x" * 5000]
)
async def test_import_refuses_what_is_no_model(api: Api, path: str) -> None:
    answer = await api.post("/api/v1/models/import", {"path": path})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "path"


async def test_status_says_what_is_loaded_and_where(api: Api) -> None:
    await api.chat()
    status = (await api.client.get("/api/v1/status")).json()
    assert status["base_url"] == f"{api.url}/v1"
    (loaded,) = status["loaded"]
    assert (loaded["identifier"], loaded["state"]) == (api.model, "IDLE")
    assert status["machine"]["memory_total_bytes"] > 0


async def test_status_tells_reading_a_prompt_from_answering_it(api: Api) -> None:
    async def state() -> str:
        (loaded,) = (await api.client.get("/api/v1/status")).json()["loaded"]
        return str(loaded["state"])

    hold = asyncio.Event()
    api.script(Script(prefill=[3], hold=hold, forever=True))
    async with api.open_stream() as response:
        lines = response.aiter_lines()
        while not (await anext(lines)).startswith(": prompt"):
            pass
        assert await state() == "PROCESSINGPROMPT"
        hold.set()
        while "Hello" not in await anext(lines):
            pass
        assert await state() == "GENERATING"


async def test_experts_are_those_that_the_model_has(
    api: Api, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    """LM Studio's `num_experts`, which means nothing to a model without any."""
    (tmp_path / "imported").mkdir()
    shutil.copy(tiny_model("qwen3moe"), tmp_path / "imported" / "expert.gguf")
    load = {"model": "expert", "num_experts": 4, "echo_load_config": True}
    assert (await api.post(LOAD, load)).json()["load_config"]["num_experts"] == 4
    refused = await api.post(LOAD, {**load, "num_experts": 5})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "num_experts")
    plain = await api.post(LOAD, {**load, "model": api.model})
    assert plain.status_code == 200
