"""A real JupyterHub with its real proxy and two users, who must not reach each other's models."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.server.spawn import environment, spawn

ROOT = Path(__file__).parents[2]
ADMIN = {"Authorization": "token admin-secret"}
START_SECONDS = 60

CONFIG = """
import sys
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/home/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    "--allow-root",
    "--ServerApp.jpserver_extensions=lmnb=True",
    "--LMNBApp.engine_factory=tests.shared.start_engine",
    "--LMNBApp.model_path={model}",
]
c.Spawner.environment = {{"PYTHONPATH": "{root}"}}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = {command}
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.services = [{{"name": "tests", "api_token": "admin-secret"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "tests",
        "services": ["tests"],
        "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"],
    }}
]
"""


@dataclass
class Hub:
    """A running hub, seen by its administrator."""

    url: str
    folder: Path

    def api(self, method: str, path: str, **body: Any) -> Any:
        url, options = f"{self.url}/hub/api/{path}", {"headers": ADMIN, "timeout": 30}
        answer = httpx.request(method, url, json=body or None, trust_env=False, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, user: str) -> None:
        self.api("POST", f"users/{user}/server")
        self.wait(lambda: self.api("GET", f"users/{user}")["servers"].get("", {}).get("ready"))

    def token(self, user: str, *scopes: str) -> str:
        body = {"scopes": list(scopes)} if scopes else {}
        return str(self.api("POST", f"users/{user}/tokens", note="test", **body)["token"])

    def lmnb(self, user: str) -> str:
        return f"{self.url}/user/{user}/lmnb/"

    @staticmethod
    def wait(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.1)
        raise TimeoutError


@pytest.fixture(scope="module")
def proxy(pytestconfig: pytest.Config) -> list[str]:
    """JupyterHub's proxy: the one that is installed, or one installed once into pytest's cache."""
    if found := shutil.which("configurable-http-proxy"):
        return [found]
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("JupyterHub's proxy needs Node")
    folder = pytestconfig.cache.mkdir("lmnb-proxy")
    script = folder / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    if not script.exists():
        command = [npm, "install", "--no-audit", "--no-fund", "configurable-http-proxy"]
        run = subprocess.run(
            [*command, "--prefix", str(folder)], capture_output=True, text=True, timeout=120
        )
        if run.returncode:
            pytest.skip(f"configurable-http-proxy could not be installed: {run.stderr[-300:]}")
    return [node, str(script)]


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory,
    proxy: list[str],
    tiny_model: Callable[[str], Path],
) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "home").mkdir()
    public, hub_port, proxy_port = free_ports(3)
    values = {
        "public": public,
        "hub": hub_port,
        "proxy": proxy_port,
        "folder": folder,
        "root": ROOT,
        "command": proxy,
        "model": tiny_model("llama"),
    }
    config = folder / "jupyterhub_config.py"
    config.write_text(CONFIG.format(**values))
    env = environment(folder, PYTHONPATH=str(ROOT))
    command = ["jupyterhub", "--config", str(config)]
    with spawn(command, env, r"JupyterHub is now running.* (http\S+)") as server:
        assert server.url, server.log
        running = Hub(f"http://127.0.0.1:{public}", folder)
        for user in ("alice", "bob"):
            running.api("POST", f"users/{user}")
            running.start(user)
        yield running
        for user in ("alice", "bob"):
            running.api("DELETE", f"users/{user}/server")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def ask(url: str, key: str | None, verb: str = "GET") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    path = "v1/models" if verb == "GET" else "v1/completions"
    body = {"model": "nothing", "prompt": ""} if verb == "POST" else None
    return httpx.request(verb, url + path, json=body, headers=headers, trust_env=False)


@pytest.mark.parametrize("scopes", [(), ("access:servers!user=alice",)])
def test_a_users_token_opens_the_users_server(hub: Hub, scopes: tuple[str, ...]) -> None:
    key = hub.token("alice", *scopes)
    with openai.OpenAI(base_url=hub.lmnb("alice") + "v1", api_key=key, max_retries=0) as client:
        (model,) = [one.id for one in client.models.list() if one.id == "tiny-llama"]
        messages: Any = [{"role": "user", "content": "Hi"}]
        stream = client.chat.completions.create(model=model, messages=messages, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == "Hello, world!"


def test_a_kernels_own_token_opens_its_server(hub: Hub) -> None:
    """What `%load_ext lmnb` and a bare OpenAI() use."""
    (file,) = hub.folder.glob("home/alice/**/jpserver-*.json")
    facts = json.loads(file.read_text())
    assert ask(hub.lmnb("alice"), facts["token"]).status_code == 200
    assert ask(facts["url"] + "lmnb/", facts["token"], "POST").status_code == 404


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_nobody_elses_key_opens_it(hub: Hub, verb: str) -> None:
    (file,) = hub.folder.glob("home/bob/**/jpserver-*.json")
    (own,) = hub.folder.glob("home/bob/**/lmnb-*.json")
    keys = [
        hub.token("bob"),
        json.loads(file.read_text())["token"],
        json.loads(own.read_text())["key"],
        hub.token("alice", "read:users!user=alice"),
        "wrong",
        None,
    ]
    for key in keys:
        refusal = ask(hub.lmnb("alice"), key, verb)
        assert refusal.status_code == 401, key
        assert refusal.json()["error"]["code"] == "invalid_api_key"


def test_a_server_that_the_hub_stops_leaves_nothing_behind(hub: Hub) -> None:
    (file,) = hub.folder.glob("home/bob/**/lmnb-*.json")
    hub.api("DELETE", "users/bob/server")
    hub.wait(lambda: not hub.api("GET", "users/bob")["servers"])
    hub.wait(lambda: not file.exists())
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.stem.rpartition("-")[2]), 0)
    hub.start("bob")
