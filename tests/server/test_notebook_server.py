"""lmnb inside a notebook server: who may call, what keeps the server awake, how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from jupyter_server.auth.security import passwd
from tornado.httpclient import HTTPClientError

from lmnb.server.extension import LMNBApp
from tests import shared
from tests.scripted import Script
from tests.server.spawn import Server, jupyter_server

MODEL = "smollm2-135m-instruct"
CHAT = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]})


@pytest.fixture
def app(jp_serverapp: Any) -> LMNBApp:
    found = jp_serverapp.extension_manager.extension_points["lmnb"].app
    assert isinstance(found, LMNBApp)
    return found


def message(error: HTTPClientError) -> dict[str, Any]:
    assert error.response is not None
    return dict(json.loads(error.response.body)["error"])


# -- in one process: Jupyter's token, activity, shutdown


async def test_jupyters_token_is_the_key(jp_fetch: Any) -> None:
    answer = await jp_fetch("lmnb", "v1", "chat", "completions", method="POST", body=CHAT)
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Hello, world!"


async def test_jupyters_token_is_the_key_of_anthropics_clients_too(
    jp_fetch: Any, jp_serverapp: Any
) -> None:
    body = json.dumps({**json.loads(CHAT), "max_tokens": 9})
    token = jp_serverapp.identity_provider.token
    headers = {"x-api-key": token, "Authorization": ""}
    answer = await jp_fetch("lmnb", "v1", "messages", method="POST", body=body, headers=headers)
    assert json.loads(answer.body)["content"][0]["text"] == "Hello, world!"
    headers["x-api-key"] = "wrong"
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("lmnb", "v1", "messages", method="POST", body=body, headers=headers)
    assert caught.value.code == 401
    assert message(caught.value)["type"] == "authentication_error"


async def test_jupyters_metrics_have_ours(jp_fetch: Any) -> None:
    await jp_fetch("lmnb", "v1", "chat", "completions", method="POST", body=CHAT)
    figures = (await jp_fetch("metrics")).body.decode()
    assert f'lmnb_requests_total{{model="{MODEL}",reason="stop"}}' in figures


async def test_a_stream_passes_event_by_event(jp_fetch: Any) -> None:
    parts: list[bytes] = []
    body = json.dumps({**json.loads(CHAT), "stream": True})
    await jp_fetch(
        "lmnb",
        "v1",
        "chat",
        "completions",
        method="POST",
        body=body,
        streaming_callback=parts.append,
    )
    assert b"".join(parts).endswith(b"data: [DONE]\n\n")
    assert all(part.endswith(b"\n\n") for part in parts)


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", ["v1/models", "v1/chat/completions", "nowhere", ""])
async def test_without_a_key_every_verb_of_every_route_is_a_401(
    jp_fetch: Any, verb: str, path: str
) -> None:
    """Not Jupyter's 403 about a missing XSRF cookie, and not a redirect to a login page."""
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(
            "lmnb",
            path,
            method=verb,
            headers={"Authorization": "Bearer wrong"},
            allow_nonstandard_methods=True,
            follow_redirects=False,
        )
    assert caught.value.code == 401
    if verb != "HEAD":
        assert message(caught.value)["code"] == "invalid_api_key"


async def test_unknown_routes_and_verbs_are_lmnbs_own(jp_fetch: Any) -> None:
    for verb, path, status in (("GET", "nowhere", 404), ("GET", "v1/chat/completions", 405)):
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch("lmnb", *path.split("/"), method=verb)
        assert caught.value.code == status
        assert list(message(caught.value)) == ["message", "type", "param", "code"]


async def test_health_asks_for_no_key(jp_fetch: Any) -> None:
    answer = await jp_fetch("lmnb", "health", headers={"Authorization": ""})
    assert json.loads(answer.body) == {"status": "ok"}


async def test_lmnbs_own_key_opens_too(jp_fetch: Any, app: LMNBApp) -> None:
    headers = {"Authorization": f"Bearer {app.key.value}"}
    assert (await jp_fetch("lmnb", "v1", "models", headers=headers)).code == 200


async def test_a_rebound_host_name_is_refused(jp_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("lmnb", "v1", "models", headers={"Host": "evil.example"})
    assert caught.value.code in (401, 403)


async def test_only_computing_counts_as_activity(
    jp_fetch: Any, app: LMNBApp, jp_serverapp: Any
) -> None:
    hold = asyncio.Event()
    shared.FACTORY.engine.scripts[:] = [Script(hold=hold)]
    request = asyncio.ensure_future(
        jp_fetch("lmnb", "v1", "chat", "completions", method="POST", body=CHAT)
    )
    await asyncio.wait_for(shared.FACTORY.engine.submitted.wait(), 10)
    assert app.current_activity()
    assert "lmnb" in jp_serverapp.web_app.settings["last_activity_times"]
    hold.set()
    await request
    assert not app.current_activity(), "a loaded model alone keeps nobody awake"
    last = jp_serverapp.web_app.last_activity()
    await jp_fetch("lmnb", "api", "v1", "status")
    assert jp_serverapp.web_app.last_activity() == last


async def test_stopping_unloads_and_may_happen_twice(jp_fetch: Any, app: LMNBApp) -> None:
    await jp_fetch("lmnb", "v1", "chat", "completions", method="POST", body=CHAT)
    await app.stop_extension()
    await app.stop_extension()
    assert not shared.FACTORY.engine.alive


async def test_the_start_hook_writes_the_runtime_file(
    jp_serverapp: Any, app: LMNBApp, jp_runtime_dir: Path
) -> None:
    await jp_serverapp.extension_manager.start_all_extensions()
    (file,) = jp_runtime_dir.glob("lmnb-*.json")
    assert json.loads(file.read_text())["key"] == app.key.value
    await app.stop_extension()
    assert not file.exists()


def test_settings_reach_the_loads(app: LMNBApp) -> None:
    assert app.services.manager.choices.defaults.slots == 3


def test_the_environment_reaches_the_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    from lmnb.server.defaults import load_options

    environ = {"LMNB_SLOTS": "7", "LMNB_GPU": "off", "LMNB_MLOCK": "true"}
    options = load_options({"slots": 2, "threads": None}, environ)
    assert (options.slots, options.gpu, options.mlock) == (2, "off", True)


# -- as users start it: four ways to guard a server


def ask(server: Server, key: str | None, verb: str = "POST", **headers: str) -> httpx.Response:
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    path = "v1/completions" if verb == "POST" else "v1/models"
    body = {"model": "nothing", "prompt": ""} if verb == "POST" else None
    options: Any = {"json": body, "headers": headers, "trust_env": False, "timeout": 60}
    return httpx.request(verb, server.url + path, **options)


def own_key(folder: Path) -> str:
    (file,) = folder.glob("runtime/lmnb-*.json")
    return str(json.loads(file.read_text())["key"])


REACHED = 404
"""The model does not exist: the request got as far as the service."""


def test_a_token_server_takes_its_token(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, "--IdentityProvider.token=secret") as server:
        assert ask(server, "secret").status_code == REACHED
        assert ask(server, own_key(tmp_path)).status_code == REACHED
        for key in ("wrong", None):
            for verb in ("GET", "POST"):
                refusal = ask(server, key, verb)
                assert refusal.status_code == 401
                assert refusal.json()["error"]["code"] == "invalid_api_key"
        foreign = ask(server, "secret", Origin="https://evil.example")
        assert foreign.status_code == REACHED, "a token proves more than an origin"


def test_a_password_server_takes_lmnbs_key(tmp_path: Path) -> None:
    """It has no token: no Bearer could ever succeed."""
    options = (f"--PasswordIdentityProvider.hashed_password={passwd('pw')}",)
    token = "--IdentityProvider.token="
    with jupyter_server(tmp_path, *options, token) as server:
        assert ask(server, own_key(tmp_path)).status_code == REACHED
        for key in ("wrong", "pw", None):
            assert ask(server, key).status_code == 401
            assert ask(server, key, "GET").status_code == 401
        with httpx.Client(trust_env=False) as browser:
            base = server.url.removesuffix("lmnb/")
            browser.get(base + "login")
            xsrf = browser.cookies["_xsrf"]
            browser.post(base + "login", data={"password": "pw", "_xsrf": xsrf})
            body = {"model": "nothing", "prompt": ""}
            url = server.url + "v1/completions"
            assert browser.get(server.url + "v1/models").status_code == 200
            forged = browser.post(url, json=body)
            assert forged.status_code == 403
            assert "_xsrf" in forged.json()["error"]["message"]
            ours = browser.post(url, json=body, headers={"X-XSRFToken": xsrf})
            assert ours.status_code == REACHED


def test_an_open_server_takes_scripts_and_refuses_foreign_pages(tmp_path: Path) -> None:
    options = ("--IdentityProvider.token=", "--PasswordIdentityProvider.hashed_password=")
    with jupyter_server(tmp_path, *options) as server:
        assert ask(server, "anything").status_code == REACHED
        assert ask(server, None, "GET").status_code == 200
        for origin in ("https://evil.example", "null"):
            assert ask(server, "anything", Origin=origin).status_code == 403
            preflight = httpx.options(server.url + "v1/completions", headers={"Origin": origin})
            assert "access-control-allow-origin" not in preflight.headers
        forged = ask(server, None, Origin="https://evil.example")
        assert forged.status_code == 403
        assert ask(server, "anything", Host="evil.example").status_code == 403


def test_the_openai_client_against_a_real_notebook_server(tmp_path: Path, smollm2: Path) -> None:
    with (
        jupyter_server(tmp_path, "--IdentityProvider.token=secret") as server,
        openai.OpenAI(base_url=server.url + "v1", api_key="secret", max_retries=0) as client,
    ):
        messages: Any = [{"role": "user", "content": "Say hello."}]
        answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=5)
        assert answer.usage is not None
        assert answer.usage.completion_tokens <= 5
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=messages, max_tokens=5, stream=True
            )
        )
        assert chunks[-1].choices[0].finish_reason in ("length", "stop")
        pid = httpx.get(
            server.url + "api/v1/status", headers={"Authorization": "Bearer secret"}
        ).json()["loaded"][0]["pid"]
        server.stop(signal.SIGTERM)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(openai.APIConnectionError):
            client.models.list()


def test_a_wrong_key_is_an_authentication_error_of_the_sdk(tmp_path: Path) -> None:
    with jupyter_server(tmp_path) as server:
        client = openai.OpenAI(base_url=server.url + "v1", api_key="wrong", max_retries=0)
        with client, pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_sigint_without_a_terminal_leaves_no_runtime_file(tmp_path: Path) -> None:
    """Jupyter does not stop its extensions then: JupyterHub's spawner and `docker stop` do that."""
    with jupyter_server(tmp_path) as server:
        assert list(tmp_path.glob("runtime/lmnb-*.json"))
        server.stop(signal.SIGINT)
    assert not list(tmp_path.glob("runtime/lmnb-*.json"))


def test_the_extension_needs_no_setting_to_be_enabled() -> None:
    config = Path(__file__).parents[2] / "jupyter-config/server-config/lmnb.json"
    assert json.loads(config.read_text())["ServerApp"]["jpserver_extensions"] == {"lmnb": True}
