"""Search, resolution, deletion and duplicates over HTTP, with a Hub of our own behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Api
from tests.hub import StandInHub
from tests.hub.models import TINY
from tests.models import raw


@pytest.fixture
def server(api: Api, hub: StandInHub) -> Api:
    return api


async def get(server: Api, path: str, **query: Any) -> Any:
    response = await server.client.get(f"/api/v1/models/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(server: Api, verb: str, path: str, **request: Any) -> tuple[int, Any]:
    response = await server.client.request(verb, f"/api/v1/models/{path}", **request)
    return response.status_code, response.json()["error"]


def put(server: Api, relative: str, **options: Any) -> Path:
    """A model in the folder for imports."""
    folder = server.services.store.import_dir
    return raw.put(folder / relative, raw.model(**options))


async def test_a_result_says_all_that_one_chooses_by(server: Api) -> None:
    (found,) = (await get(server, "search", q="tiny-llama"))["models"]
    assert (
        found.items()
        >= {
            "id": TINY,
            "name": "Tiny-Llama-GGUF",
            "publisher": "tiny-labs",
            "downloads": 5000,
            "likes": 50,
            "license": "apache-2.0",
            "gated": False,
            "architecture": "llama",
            "context_length": 2048,
            "recommended": "Q4_K_M",
        }.items()
    )
    assert found["url"].endswith(f"/{TINY}")
    assert found["capabilities"]["vision"]
    variants = {one["quantization"]: one for one in found["variants"]}
    assert variants.keys() == {"Q4_K_M", "Q8_0", "F16", "BF16"}
    assert len(variants["BF16"]["files"]) > 1
    assert all(one["size_bytes"] > 0 and not one["downloaded"] for one in variants.values())
    assert {one["fit"] for one in variants.values()} <= {"full_gpu", "cpu"}
    assert [one["quantization"] for one in found["variants"] if one["recommended"]] == ["Q4_K_M"]
    assert [one["file"] for one in found["projectors"]] == ["mmproj-Tiny-Llama-F16.gguf"]


async def test_what_is_here_is_marked(server: Api) -> None:
    put(server, "tiny-labs/Tiny-Llama-GGUF/Tiny-Llama-Q8_0.gguf")
    found = await get(server, f"search/{TINY}")
    here = {one["quantization"]: one["downloaded"] for one in found["variants"]}
    assert here == {"Q4_K_M": False, "Q8_0": True, "F16": False, "BF16": False}
    assert found["readme_url"].endswith("/README.md")


async def test_pages_follow_their_cursor(server: Api) -> None:
    first = await get(server, "search", limit=2, sort="likes")
    second = await get(server, "search", limit=2, sort="likes", cursor=first["next_cursor"])
    shown = [one["id"] for one in first["models"] + second["models"]]
    assert len(set(shown)) == 4
    likes = [one["likes"] for one in first["models"] + second["models"]]
    assert likes == sorted(likes, reverse=True)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"sort": "beauty"}, "sort"),
        ({"min_size": -1}, "min_size"),
        ({"cursor": "mine"}, "cursor"),
    ],
)
async def test_a_wrong_query_names_the_parameter(
    server: Api, query: dict[str, Any], param: str
) -> None:
    status, error = await refused(server, "GET", "search", params=query)
    assert (status, error["param"]) == (400, param)


async def test_a_name_is_resolved_with_reasons(server: Api) -> None:
    body = {"model": "gemma-3-1b"}
    response = await server.client.post("/api/v1/models/resolve", json=body)
    found = response.json()
    assert found["repo"] == "ggml-org/gemma-3-1b-it-GGUF"
    assert found["certain"] in (True, False)  # this machine may be too small
    assert found["why"]
    assert found["candidates"][0].keys() == {"repo", "quantization", "downloads", "why"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "nobody/qqqq"}, 404, "model_not_found"),
        ({"model": "../x"}, 400, "invalid_model_name"),
        ({"model": TINY, "quantization": "Q2_K"}, 404, "model_not_found"),
        ({}, 400, "missing_required_parameter"),
    ],
)
async def test_what_means_nothing_is_refused(
    server: Api, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await refused(server, "POST", "resolve", json=body)
    assert (answer[0], answer[1]["code"]) == (status, code)


async def test_offline_is_said(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert (await refused(server, "GET", "search"))[0] == 503


@pytest.mark.parametrize("by", ["address", "body"])
async def test_a_model_is_deleted(api: Api, by: str) -> None:
    path = put(api, "maker/m-GGUF/m-Q4_0.gguf")
    size = path.stat().st_size
    if by == "address":
        response = await api.client.delete(f"/api/v1/models/{quote('maker/m@q4_0')}")
    else:
        response = await api.client.post("/api/v1/models/delete", json={"model": "maker/m"})
    assert response.json() == {"key": "maker/m", "freed_bytes": size, "files": [str(path)]}
    assert not path.exists()
    assert (await refused(api, "DELETE", "maker/m"))[0] == 404


async def test_a_loaded_model_is_deleted_only_by_force(api: Api) -> None:
    path = put(api, "maker/m-GGUF/m-Q4_0.gguf")
    await api.post("/api/v1/models/load", {"model": "maker/m"})
    status, error = await refused(api, "DELETE", "maker/m")
    assert (status, error["code"]) == (409, "model_in_use")
    assert path.exists()
    response = await api.client.delete("/api/v1/models/maker/m", params={"force": "true"})
    assert response.status_code == 200, response.text
    assert not path.exists()
    assert api.services.manager.loaded() == []


async def test_deleting_needs_the_permission_to_manage(api: Api) -> None:
    path = put(api, "m-Q4_0.gguf")
    _, key = api.services.keys.create("reader", ["use"], None)
    headers = {"Authorization": f"Bearer {key}"}
    for verb, where in (("DELETE", "m"), ("POST", "delete")):
        status, _ = await refused(api, verb, where, headers=headers, json={"model": "m"})
        assert status == 403
    assert path.exists()


async def test_duplicates_are_listed_with_what_they_waste(api: Api) -> None:
    first = put(api, "a/m-GGUF/m-Q4_0.gguf")
    second = put(api, "b/m-GGUF/m-Q4_0.gguf")
    os.link(first, first.with_name("again.gguf"))
    found = await get(api, "duplicates")
    (one,) = found["duplicates"]
    assert len(one["copies"]) == 2
    assert second in {Path(copy["path"]) for copy in one["copies"]}
    assert found["wasted_bytes"] == one["wasted_bytes"] == first.stat().st_size


async def test_a_model_is_imported_under_a_name(api: Api, tmp_path: Path) -> None:
    source = raw.put(tmp_path / "m-Q4_0.gguf", raw.model())
    body = {"path": str(source), "name": "me/mine", "mode": "hard_link"}
    answer = await api.post("/api/v1/models/import", body)
    assert answer.json()["key"] == "me/m"
    assert (api.services.store.import_dir / "me/mine/m-Q4_0.gguf").samefile(source)


@pytest.mark.parametrize("q", [TINY, f"https://huggingface.co/{TINY}", "tiny-labs/tiny-llama"])
async def test_a_repository_may_be_searched_for_by_name_or_address(server: Api, q: str) -> None:
    assert [one["id"] for one in (await get(server, "search", q=q))["models"]] == [TINY]


async def test_a_model_that_sees_says_so_and_what_its_header_says(api: Api) -> None:
    folder = "maker/m-GGUF/"
    sees = [raw.entry("clip.has_vision_encoder", raw.BOOL, b"\1")]
    put(api, folder + "m-Q4_0.gguf", metadata=[raw.number("llama.block_count", 7)])
    projector = put(api, folder + "mmproj-F16.gguf", name="clip", metadata=sees)
    models = (await api.client.get("/api/v1/models")).json()["models"]
    found = next(one for one in models if one["key"] == "maker/m")
    assert found["capabilities"]["vision"]
    assert found["details"].items() >= {"layers": 7, "projector": str(projector)}.items()
    old = (await api.client.get("/api/v0/models/maker/m")).json()
    assert old["type"] == "vlm"


async def test_a_model_is_described_under_any_name_it_answers_to(api: Api) -> None:
    put(api, "maker/m-GGUF/m-Q4_0.gguf")
    put(api, "maker/m-GGUF/m-Q8_0.gguf", values=128)
    for name in ("maker/m@q8_0", "M@q8_0", "maker/m-GGUF:q8_0", "maker/m-GGUF/m-Q8_0.gguf"):
        assert (await get(api, name))["key"] == "maker/m@q8_0", name
    await api.post("/api/v1/models/load", {"model": "maker/m@q4_0", "identifier": "mine"})
    assert (await get(api, "mine"))["key"] == "maker/m@q4_0"
    status, error = await refused(api, "GET", "maker/m")
    assert (status, error["code"]) == (400, "ambiguous_model")
    assert (await refused(api, "GET", "nothing/here"))[0] == 404
