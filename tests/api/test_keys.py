"""API keys: shown once, stored as a hash, each good for what it was made for."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lmnb.api.base import NEEDS, ApiHandler
from lmnb.api.routes import ROUTES
from lmnb.service.caller import PERMISSIONS
from tests.api.conftest import Api

LMSTUDIO_SHAPE = r"sk-lm-[A-Za-z0-9]{8}:[A-Za-z0-9]{20}"
VERBS = ("get", "post", "put", "patch", "delete")
CHANGES_NOTHING = {
    "/api/v1/chat",
    "/api/v1/models/estimate",
    "/api/v1/models/resolve",
    "/api/v1/models/search",
}
"""Routes of the native API that are posted to and leave the server as it is: `use` will do."""


async def new_key(api: Api, *permissions: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "laptop", "permissions": permissions or ["use"], **fields}
    answer = await api.post("/api/v1/keys", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def with_key(api: Api, key: str, verb: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await api.client.request(verb, path, json=body, headers=headers)


async def test_a_key_is_shown_once_and_then_only_described(api: Api) -> None:
    made = await new_key(api, "use", "manage")
    assert re.fullmatch(LMSTUDIO_SHAPE, made["key"])
    (listed,) = (await api.client.get("/api/v1/keys")).json()["keys"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert listed["permissions"] == ["use", "manage"]
    assert made["key"] not in (await api.client.get("/api/v1/keys")).text


async def test_the_file_holds_no_key(api: Api, tmp_path: Path) -> None:
    secret = (await new_key(api))["key"].partition(":")[2].encode()
    assert not any(secret in file.read_bytes() for file in tmp_path.glob("lmnb.sqlite*"))


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
async def test_a_key_opens_by_either_header(api: Api, header: str) -> None:
    key = (await new_key(api))["key"]
    value = f"Bearer {key}" if header == "Authorization" else key
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as stranger:
        assert (await stranger.get("/v1/models", headers={header: value})).status_code == 200
        wrong = value[:-1] + ("a" if value[-1] != "a" else "b")
        assert (await stranger.get("/v1/models", headers={header: wrong})).status_code == 401


@pytest.mark.parametrize(
    ("verb", "path", "needed"),
    [
        ("GET", "/v1/models", "use"),
        ("POST", "/v1/chat/completions", "use"),
        ("GET", "/api/v1/models", "use"),
        ("GET", "/api/v1/server", "use"),
        ("POST", "/api/v1/models/load", "manage"),
        ("POST", "/api/v1/models/unload", "manage"),
        ("POST", "/api/v1/models/import", "manage"),
        ("GET", "/api/v1/log", "manage"),
        ("POST", "/api/v1/server/start", "admin"),
        ("POST", "/api/v1/server/stop", "admin"),
        ("GET", "/api/v1/keys", "admin"),
        ("POST", "/api/v1/keys", "admin"),
        ("DELETE", "/api/v1/keys/nobody", "admin"),
    ],
)
async def test_a_key_may_what_it_was_made_for(api: Api, verb: str, path: str, needed: str) -> None:
    """An empty object as body: what is allowed fails, if it does, for another reason than 403."""
    allowed = (await new_key(api, needed))["key"]
    others = (await new_key(api, *(one for one in PERMISSIONS if one != needed)))["key"]
    assert (await with_key(api, allowed, verb, path, {})).status_code not in (401, 403)
    refused = await with_key(api, others, verb, path, {})
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "missing_permission"
    assert f"'{needed}'" in error["message"]


async def test_a_key_that_only_asks_models_learns_nothing_about_files(api: Api) -> None:
    use, manage = (await new_key(api, "use"))["key"], (await new_key(api, "use", "manage"))["key"]
    for asked in ({"lora": [{"path": "/etc/passwd"}]}, {"projector": "/etc/passwd"}):
        body = {"model": api.model, **asked}
        refused = await with_key(api, use, "POST", "/api/v1/models/estimate", body)
        assert refused.status_code == 403
        known = await with_key(api, manage, "POST", "/api/v1/models/estimate", body)
        assert known.status_code != 403
    plain = await with_key(api, use, "POST", "/api/v1/models/estimate", {"model": api.model})
    assert plain.status_code == 200


def test_every_verb_of_every_route_says_what_it_needs() -> None:
    """And whatever changes the server through the native API needs more than `use`."""
    missing = ApiHandler._unimplemented_method
    for pattern, handler in ROUTES:
        for verb in VERBS:
            method = getattr(handler, verb)
            if method is missing or handler.public:
                continue
            needs = getattr(method, NEEDS, None)
            assert needs in PERMISSIONS, f"{verb} {pattern}"
            path = pattern.removesuffix("/?")
            if verb != "get" and path.startswith("/api/v1/") and path not in CHANGES_NOTHING:
                assert needs != "use", f"{verb} {pattern}"


async def test_a_revoked_key_is_refused_at_once(api: Api) -> None:
    made = await new_key(api)
    assert (await with_key(api, made["key"], "GET", "/v1/models")).status_code == 200
    gone = await api.client.delete(f"/api/v1/keys/{made['id']}")
    assert gone.json() == {"id": made["id"], "revoked": True}
    refused = await with_key(api, made["key"], "GET", "/v1/models")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    again = await api.client.delete(f"/api/v1/keys/{made['id']}")
    assert (again.status_code, again.json()["error"]["param"]) == (404, "id")


async def test_an_expired_key_says_so(api: Api) -> None:
    made = await new_key(api, expires_in=0.05)
    assert datetime.fromisoformat(made["expires_at"]) > datetime.fromisoformat(made["created_at"])
    await asyncio.sleep(0.06)
    refused = await with_key(api, made["key"], "GET", "/v1/models")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "expired_api_key"


async def test_the_last_use_is_noted(api: Api) -> None:
    made = await new_key(api)
    assert made["last_used"] is None
    await with_key(api, made["key"], "GET", "/v1/models")
    (listed,) = (await api.client.get("/api/v1/keys")).json()["keys"]
    assert datetime.fromisoformat(listed["last_used"]) >= datetime.fromisoformat(made["created_at"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "permissions": []}, "permissions"),
        ({"name": "x", "permissions": ["root"]}, "permissions[0]"),
        ({"name": "x", "permissions": "use"}, "permissions"),
        ({"name": "x", "expires_in": 0}, "expires_in"),
        ({"name": "x", "expires_in": 1e300}, "expires_in"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    api: Api, fields: dict[str, Any], param: str
) -> None:
    answer = await api.post("/api/v1/keys", fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
