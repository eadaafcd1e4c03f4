"""A real JupyterHub with its real proxy, and two users who share a folder of models and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.notebook.kernels import Kernel
from tests.processes import gone
from tests.server.spawn import environment, spawn

ROOT = Path(__file__).parents[2]
ADMIN = {"Authorization": "token admin-secret"}
START_SECONDS = 60
MODEL = "smollm2-135m-instruct"

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
]
c.Spawner.environment = {{
    "PYTHONPATH": "{root}",
    "LMNB_MODEL_PATH": "{models}",
    "HF_HUB_OFFLINE": "1",
    "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
}}
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
        self.wait(lambda: self.server(user).get("ready"))
        self.wait(lambda: list(self.folder.glob(f"home/{user}/**/lmnb-*.json")))

    def token(self, user: str, *scopes: str) -> str:
        body = {"scopes": list(scopes)} if scopes else {}
        return str(self.api("POST", f"users/{user}/tokens", note="test", **body)["token"])

    def server(self, user: str) -> dict[str, Any]:
        """What the hub knows of a user's server; empty if there is none."""
        known: dict[str, Any] = self.api("GET", f"users/{user}")["servers"].get("", {})
        return known

    def lmnb(self, user: str) -> str:
        return f"{self.url}/user/{user}/lmnb/"

    def call(self, user: str, method: str, path: str, key: str, **body: Any) -> httpx.Response:
        """Ask a user's lmnb."""
        headers, url = {"Authorization": f"Bearer {key}"}, self.lmnb(user) + path
        options: dict[str, Any] = {"headers": headers, "timeout": 60, "trust_env": False}
        return httpx.request(method, url, json=body or None, **options)

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
        try:
            run = subprocess.run(
                [*command, "--prefix", str(folder)], capture_output=True, text=True, timeout=120
            )
        except subprocess.TimeoutExpired:
            pytest.skip("configurable-http-proxy could not be installed in time")
        if run.returncode:
            pytest.skip(f"configurable-http-proxy could not be installed: {run.stderr[-300:]}")
    return [node, str(script)]


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory,
    proxy: list[str],
    smollm2: Path,
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
        "models": smollm2.parent,
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
    options: Any = {"json": body, "headers": headers, "trust_env": False, "timeout": 60}
    return httpx.request(verb, url + path, **options)


@pytest.mark.parametrize("scopes", [(), ("access:servers!user=alice",)])
def test_a_users_token_opens_the_users_server(hub: Hub, scopes: tuple[str, ...]) -> None:
    key = hub.token("alice", *scopes)
    with openai.OpenAI(base_url=hub.lmnb("alice") + "v1", api_key=key, max_retries=0) as client:
        assert [one.id for one in client.models.list()] == [MODEL]
        messages: Any = [{"role": "user", "content": "Say hello."}]
        stream = client.chat.completions.create(
            model=MODEL, messages=messages, stream=True, max_tokens=5, temperature=0
        )
        pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert "".join(filter(None, pieces))


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


def test_a_kernel_behind_the_hub_talks_to_its_own_server(hub: Hub) -> None:
    """Magics, the SDK and its address, with nothing set by hand."""
    (file,) = hub.folder.glob("home/alice/**/jpserver-*.json")
    url = f"{hub.url}/user/alice/"
    kernel = Kernel.of_server(url, hub.token("alice"), file.parent)
    try:
        kernel.run("%load_ext lmnb")
        ran = kernel.run("%%lms --max-tokens 5 --out reply\nSay hello.", timeout=120)
        assert ran.status == "ok", ran.stream("stderr")
        assert kernel.value("reply.model") == MODEL
        assert kernel.value("[m['key'] for m in __import__('lmnb').models()]") == [MODEL]
        kernel.run("from openai import OpenAI\nclient = OpenAI()")
        assert kernel.value("str(client.base_url)").endswith("/user/alice/lmnb/v1/")
        assert kernel.value("[m.id for m in client.models.list()]") == [MODEL]
        refused = kernel.run(f"OpenAI(base_url={hub.lmnb('bob') + 'v1'!r}).models.list()")
        assert [one.get("ename") for one in refused.outputs] == ["AuthenticationError"]
    finally:
        kernel.close()


def test_users_share_files_and_nothing_else(hub: Hub) -> None:
    alice, bob = hub.token("alice"), hub.token("bob")
    hub.call("alice", "POST", "api/v1/models/load", alice, model=MODEL).raise_for_status()
    hub.call("bob", "POST", "api/v1/models/unload", bob, instance_id=MODEL)
    (seen,) = hub.call("bob", "GET", "api/v1/models", bob).json()["models"]
    assert (seen["key"], seen["loaded_instances"]) == (MODEL, [])

    said = hub.call(
        "alice", "POST", "v1/responses", alice, model=MODEL, input="Hi", max_output_tokens=5
    ).json()
    assert hub.call("alice", "GET", f"v1/responses/{said['id']}", alice).status_code == 200
    assert hub.call("bob", "GET", f"v1/responses/{said['id']}", bob).status_code == 404
    assert hub.call("alice", "GET", f"v1/responses/{said['id']}", bob).status_code == 401

    made = hub.call("alice", "POST", "api/v1/keys", alice, name="laptop").json()
    assert hub.call("alice", "GET", "v1/models", made["key"]).status_code == 200
    assert hub.call("bob", "GET", "v1/models", made["key"]).status_code == 401
    assert hub.call("bob", "GET", "api/v1/keys", bob).json()["keys"] == []


@pytest.mark.slow
def test_a_stream_counts_as_activity_while_it_lasts(hub: Hub) -> None:
    """A culler goes by what the hub believes: nobody asks alice's server anything else meanwhile."""
    key = hub.token("alice")
    story = {"identifier": "story", "context_length": 8192}
    hub.call("alice", "POST", "api/v1/models/load", key, model=MODEL, **story).raise_for_status()
    with openai.OpenAI(base_url=hub.lmnb("alice") + "v1", api_key=key) as client:
        stream = client.completions.create(
            model="story",
            prompt="Once",
            max_tokens=8000,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        next(stream)
        began = datetime.now(UTC)
        while datetime.fromisoformat(hub.server("alice")["last_activity"]) < began:
            next(stream)  # raises at the stream's end
            time.sleep(0.1)
        stream.close()
    hub.call("alice", "POST", "api/v1/models/unload", key, instance_id="story", cancel_running=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_leaves_no_engine_behind(hub: Hub, number: signal.Signals) -> None:
    key = hub.token("bob")
    hub.call("bob", "POST", "api/v1/models/load", key, model=MODEL).raise_for_status()
    (loaded,) = hub.call("bob", "GET", "api/v1/status", key).json()["loaded"]
    (file,) = hub.folder.glob("home/bob/**/lmnb-*.json")
    engine, server = int(loaded["pid"]), int(file.stem.split("-")[-1])
    assert server in [parent.pid for parent in psutil.Process(engine).parents()]
    os.kill(server, number)
    hub.wait(lambda: gone(engine) and gone(server))
    assert not file.exists()
    hub.api("DELETE", "users/bob/server")
    hub.wait(lambda: not hub.server("bob"))
    hub.start("bob")


def test_a_server_that_the_hub_stops_leaves_nothing_behind(hub: Hub) -> None:
    (file,) = hub.folder.glob("home/bob/**/lmnb-*.json")
    hub.api("DELETE", "users/bob/server")
    hub.wait(lambda: not hub.server("bob"))
    hub.wait(lambda: not file.exists())
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.stem.rpartition("-")[2]), 0)
    hub.start("bob")
