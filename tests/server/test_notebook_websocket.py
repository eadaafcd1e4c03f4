"""The Responses API's WebSocket inside a notebook server: who may connect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyter_server.auth import User
from tornado.httpclient import HTTPClientError

MODEL = "smollm2-135m-instruct"
ROUTE = ("lmnb", "v1", "responses")


async def converse(connection: Any) -> Any:
    message = {"type": "response.create", "model": MODEL, "input": "Hi", "store": False}
    await connection.write_message(json.dumps(message))
    while True:
        event = json.loads(await connection.read_message())
        if event["type"] in ("error", "response.completed"):
            connection.close()
            return event


@pytest.mark.parametrize("place", ["header", "query", "lmnb's key"])
async def test_jupyters_token_opens_the_socket(
    jp_serverapp: Any, jp_ws_fetch: Any, place: str
) -> None:
    token = jp_serverapp.identity_provider.token
    if place == "lmnb's key":
        token = jp_serverapp.web_app.settings["lmnb_keys"].server_key.value
    headers = {"Authorization": "" if place == "query" else f"Bearer {token}"}
    params = {"token": token} if place == "query" else {}
    event = await converse(await jp_ws_fetch(*ROUTE, headers=headers, params=params))
    assert event["type"] == "response.completed", event


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "", "Origin": "https://elsewhere.example"},
    ],
)
async def test_others_are_kept_out(jp_ws_fetch: Any, headers: dict[str, str]) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch(*ROUTE, headers=headers)
    assert refused.value.code in (401, 403)


async def test_a_cookie_is_not_enough_for_a_foreign_page(
    jp_ws_fetch: Any, jp_serverapp: Any
) -> None:
    """Browsers send cookies with a WebSocket of any page."""
    jp_serverapp.identity_provider.get_user_cookie = lambda handler: User("me")
    foreign = {"Authorization": "", "Origin": "https://elsewhere.example"}
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch(*ROUTE, headers=foreign)
    assert refused.value.code == 403
    own = {"Authorization": ""}
    assert (await converse(await jp_ws_fetch(*ROUTE, headers=own)))["type"] == "response.completed"
