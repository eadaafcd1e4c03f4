"""Models come, share the work and go, as somebody who uses `lmnb serve` sees it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.server.spawn import Server, lmnb_serve

SMOLLM, TINY = "smollm2-135m-instruct", "tiny-llama"
LOAD, UNLOAD = "api/v1/models/load", "api/v1/models/unload"
STORY = [{"role": "user", "content": "Tell a very long story."}]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, smollm2: Path, tiny_model: Callable[[str], Path]
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("lifecycle")
    models = ("--models", str(smollm2), str(tiny_model("llama")))
    with lmnb_serve(folder, *models, "--slots", "2") as server:
        assert server.url, server.log
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client
        for one in loaded(client):
            body = {"instance_id": one["identifier"], "cancel_running": True}
            client.post(UNLOAD, json=body).raise_for_status()


def loaded(client: httpx.Client) -> list[dict[str, Any]]:
    return list(client.get("api/v1/status").json()["loaded"])


def say(client: httpx.Client, model: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": STORY, "max_tokens": 2, **more}
    return client.post("v1/chat/completions", json=body).raise_for_status()


@contextlib.contextmanager
def long_story(client: httpx.Client, model: str) -> Iterator[Iterator[str]]:
    """A stream that has begun to answer."""
    body = {"model": model, "messages": STORY, "stream": True, "ignore_eos": True}
    with client.stream("POST", "v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        while '"content":"' not in next(lines).replace('"content":""', ""):
            pass
        yield lines


def test_saved_settings_load_the_engine_and_the_next_model_evicts_it(client: httpx.Client) -> None:
    path = f"api/v1/models/settings/{SMOLLM}"
    client.put(path, json={"context_length": 512, "parallel": 3}).raise_for_status()
    say(client, SMOLLM)
    (one,) = loaded(client)
    assert (one["config"]["context_length"], one["parallel"], one["jit"]) == (512, 3, True)
    say(client, TINY)
    assert [one["model"] for one in loaded(client)] == [TINY]
    assert not psutil.pid_exists(one["pid"])
    client.delete(path).raise_for_status()


def test_instances_of_a_model_share_its_requests(client: httpx.Client) -> None:
    for body in ({"model": SMOLLM}, {"model": SMOLLM, "new_instance": True}):
        client.post(LOAD, json={**body, "context_length": 1024}).raise_for_status()
    with long_story(client, SMOLLM), long_story(client, SMOLLM):
        assert {one["identifier"]: one["running"] for one in loaded(client)} == {
            SMOLLM: 1,
            f"{SMOLLM}:2": 1,
        }


def test_an_unload_waits_for_the_story_unless_it_is_told_not_to(client: httpx.Client) -> None:
    client.post(LOAD, json={"model": SMOLLM}).raise_for_status()
    body = {"instance_id": SMOLLM}
    with long_story(client, SMOLLM) as lines:
        refused = client.post(UNLOAD, json={**body, "wait": 0.2})
        assert refused.status_code == 409
        client.post(UNLOAD, json={**body, "cancel_running": True}).raise_for_status()
        assert '"service_closed"' in [line for line in lines if line][-1]
    assert loaded(client) == []


def test_whoever_listens_hears_of_it(client: httpx.Client, server: Server) -> None:
    with client.stream("GET", "api/v1/events") as response:
        lines = response.iter_lines()
        assert next(lines) == ": listening"
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as other:
            say(other, TINY, ttl=0.1)
        heard: list[str] = []
        deadline = time.monotonic() + 30
        while "model_unload" not in heard and time.monotonic() < deadline:
            if (line := next(lines)).startswith("event: "):
                heard.append(line.removeprefix("event: "))
    kinds = [kind for kind in heard if kind != "model_load.progress"]
    assert kinds == ["model_load.start", "model_load.end", "model_unload"]
