"""The second listener: LM Studio's address space beside a notebook server, for its user alone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPClientError

from lmnb.server.extension import LMNBApp
from tests.server.spawn import jupyter_server, lmnb_serve

PAGE = {"Origin": "https://page.example", "Sec-Fetch-Site": "cross-site"}
AS_ANOTHER_USER = """
import http.client, os, sys
"".encode("idna")  # imported now: the other user may not be able to read it
os.setgroups([]); os.setgid(65533); os.setuid(65533)
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
connection.request(sys.argv[3], sys.argv[4], body=b"{}", headers=dict(zip(sys.argv[5::2], sys.argv[6::2])))
print(connection.getresponse().status)
"""


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)


@pytest.fixture
def app(jp_serverapp: Any) -> LMNBApp:
    found = jp_serverapp.extension_manager.extension_points["lmnb"].app
    assert isinstance(found, LMNBApp)
    return found


@pytest.fixture
def server(jp_fetch: Any) -> Any:
    """What the notebook server answers on `lmnb/api/v1/server...`."""

    async def ask(action: str = "", **body: Any) -> dict[str, Any]:
        options: Any = {"method": "POST", "body": json.dumps(body)} if action else {}
        path = ("lmnb", "api", "v1", "server", *([action] if action else []))
        return dict(json.loads((await jp_fetch(*path, **options)).body))

    return ask


async def answers(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            await client.get(url)
        except httpx.ConnectError:
            return False
    return True


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """A port, and the number of the process that has it."""
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        "print(s.getsockname()[1], flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None and other.stdout is not None
        yield int(other.stdout.readline()), other.pid
        assert other.poll() is None, "it is never ended"
        other.stdin.write(b"\n")
        other.stdin.close()


@asynccontextmanager
async def listening(server: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    state = await server("start", port=0, **options)
    try:
        async with httpx.AsyncClient(base_url=state["base_url"], trust_env=False) as client:
            yield client
    finally:
        await server("stop")


async def test_it_is_off_until_asked_for_and_off_again(server: Any) -> None:
    assert not (await server())["running"]
    started = await server("start", port=0)
    assert started == await server()
    assert started["running"] and started["host"] == "127.0.0.1"
    async with httpx.AsyncClient(base_url=started["base_url"], trust_env=False) as client:
        assert (await client.get("v1/models")).status_code == 200
        assert (await client.get("api/v1/models")).status_code == 200
        greeting = await client.get("lmstudio-greeting")
        assert greeting.json() == {"lmstudio": True}
    assert not (await server("stop"))["running"]
    with socket.socket() as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.bind(("127.0.0.1", started["port"]))


async def test_stopping_what_does_not_run_is_an_error(server: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await server("stop")
    assert caught.value.code == 400


async def test_the_request_that_stops_it_there_is_answered(server: Any) -> None:
    state = await server("start", port=0)
    async with httpx.AsyncClient(base_url=state["base_url"], trust_env=False) as client:
        answer = await client.post("api/v1/server/stop")
        assert answer.json()["running"] is False
    assert not await answers(state["base_url"])


async def test_starting_again_takes_the_new_settings_and_a_new_port(server: Any) -> None:
    first = await server("start", port=0)
    second = await server("start", port=first["port"], require_key=True)
    assert (second["port"], second["key_required"]) == (first["port"], True)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(first["base_url"] + "v1/models")).status_code == 401
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    third = await server("start", port=port)
    assert (third["port"], third["key_required"]) == (port, False)
    assert not await answers(first["base_url"])
    await server("stop")


async def test_a_port_in_use_says_by_whom_and_leaves_the_rest_alone(
    server: Any, jp_fetch: Any, taken: tuple[int, int]
) -> None:
    port, pid = taken
    with pytest.raises(HTTPClientError) as caught:
        await server("start", port=port)
    assert caught.value.response is not None
    error = json.loads(caught.value.response.body)["error"]
    assert caught.value.code == 409
    assert (error["code"], error["param"]) == ("port_in_use", "port")
    assert str(port) in error["message"] and str(pid) in error["message"]
    assert (await server())["error"] == error["message"]
    assert (await jp_fetch("lmnb", "v1", "models")).code == 200
    async with listening(server) as client:
        assert (await client.get("v1/models")).status_code == 200


async def test_pages_of_elsewhere_stay_out(server: Any) -> None:
    async with listening(server) as client:
        assert (await client.get("v1/models", headers=PAGE)).status_code == 401
        rebound = await client.get("v1/models", headers={"Host": "page.example"})
        assert rebound.status_code == 401
        preflight = await client.options("v1/models", headers=PAGE)
        assert not [name for name in preflight.headers if name.startswith("access-control")]


async def test_with_cors_a_page_may_ask_and_needs_a_key(server: Any, app: LMNBApp) -> None:
    async with listening(server, cors=True) as client:
        asked = {"Access-Control-Request-Headers": "authorization,x-stainless-os", **PAGE}
        preflight = await client.options("v1/chat/completions", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "x-stainless-os" in preflight.headers["access-control-allow-headers"]
        assert "POST" in preflight.headers["access-control-allow-methods"]
        refused = await client.get("v1/models", headers=PAGE)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "*", "so the page can read why"
        key = {"Authorization": f"Bearer {app.key.value}", **PAGE}
        assert (await client.get("v1/models", headers=key)).status_code == 200


async def test_a_made_key_opens_both_doors(server: Any, jp_fetch: Any) -> None:
    body = json.dumps({"name": "both", "permissions": ["use"]})
    made = json.loads((await jp_fetch("lmnb", "api", "v1", "keys", method="POST", body=body)).body)
    key = {"Authorization": f"Bearer {made['key']}"}
    assert (await jp_fetch("lmnb", "v1", "models", headers=key)).code == 200
    async with listening(server, require_key=True) as client:
        assert (await client.get("v1/models")).status_code == 401
        assert (await client.get("v1/models", headers=key)).status_code == 200
        assert (await client.post("api/v1/server/stop", headers=key)).status_code == 403


async def test_under_jupyterhub_it_is_never_keyless(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(server) as client:
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
        assert (await client.get("v1/models")).status_code == 401
        assert (await server())["key_required"]


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user"
)
async def test_another_user_of_the_machine_stays_out(server: Any, app: LMNBApp) -> None:
    """One machine, two users: what needs no key from the one needs it from the other."""
    async with listening(server) as client:
        assert (await client.get("v1/models")).status_code == 200
        state = await server()

        async def other(verb: str, path: str, *headers: str, host: str = "127.0.0.1") -> int:
            command = [sys.executable, "-c", AS_ANOTHER_USER, host, str(state["port"]), verb, path]
            result = await asyncio.to_thread(
                subprocess.run, [*command, *headers], capture_output=True, text=True, check=True
            )
            return int(result.stdout)

        assert await other("GET", "/v1/models") == 401
        assert await other("POST", "/api/v1/keys") == 401
        assert await other("GET", "/v1/models", "Authorization", "Bearer lm-studio") == 401
        if socket.has_ipv6:
            assert await other("GET", "/v1/models", host="localhost") == 401
        key = f"Bearer {app.key.value}"
        assert await other("GET", "/v1/models", "Authorization", key) == 200
        assert (await client.get("v1/models")).status_code == 200


def test_a_port_that_is_taken_at_the_start_costs_no_notebook(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with jupyter_server(tmp_path, "--IdentityProvider.token=t", LMNB_PORT=str(port)) as server:
            server.wait_for("does not listen on a port of its own")
            asked: Any = {"headers": {"Authorization": "Bearer t"}, "trust_env": False}
            state = httpx.get(server.url + "api/v1/server", timeout=60, **asked).json()
            assert not state["running"]
            assert str(os.getpid()) in state["error"]
    with jupyter_server(tmp_path, "--IdentityProvider.token=t", LMNB_PORT=str(port)) as server:
        server.wait_for("also listens at")
        root = f"http://127.0.0.1:{port}/"
        assert httpx.get(root + "v1/models", trust_env=False, timeout=60).status_code == 200


def test_lmnb_serve_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with lmnb_serve(tmp_path) as server:
        state = httpx.get(server.url + "api/v1/server", trust_env=False).json()
        assert state["running"] and state["base_url"] == server.url
        elsewhere = httpx.post(
            server.url + "api/v1/server/start", json={"port": 1}, trust_env=False
        )
        assert elsewhere.status_code == 400
        stopped = httpx.post(server.url + "api/v1/server/stop", trust_env=False)
        assert stopped.json()["running"] is False
        assert server.process.wait(60) == 0
