"""`lmnb serve`, started as a user starts it, asked by clients that users have."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.server.spawn import Server, environment, lmnb_serve

MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    with lmnb_serve(folder, "--models", str(smollm2), "--slots", "2") as server:
        assert server.url, server.log
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url + "v1", api_key="anything", max_retries=0) as client:
        yield client


def test_openais_client_chats(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Say hello."}],
        max_tokens=8,
        temperature=0,
    )
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 8


def test_openais_client_streams(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Count to ten."}],
        max_tokens=8,
        n=2,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
    assert last.usage is not None
    assert last.usage.completion_tokens <= 16


def test_openais_client_completes_and_lists(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model=MODEL, prompt="Once upon", logprobs=2, max_tokens=4, temperature=0
    )
    assert answer.choices[0].logprobs is not None
    assert len(answer.choices[0].logprobs.tokens or ()) == 4
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).object == "model"


def test_openais_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": ""}])
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model=MODEL, prompt="word " * 9000)
    assert caught.value.code == "context_length_exceeded"


def test_the_runtime_file_is_the_users_alone(tmp_path: Path, smollm2: Path) -> None:
    with lmnb_serve(tmp_path) as server:
        (file,) = tmp_path.glob("runtime/lmnb-*.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        facts = json.loads(file.read_text())
        assert facts["url"] == server.url
        assert server.stop() == 0
    assert not file.exists()


def test_a_key_that_is_given_is_asked_for(tmp_path: Path) -> None:
    with lmnb_serve(tmp_path, "--api-key", "sk-mine") as server:
        url = server.url + "v1/models"
        assert httpx.get(url, timeout=60).status_code == 401
        assert (
            httpx.get(url, headers={"Authorization": "Bearer sk-mine"}, timeout=60).status_code
            == 200
        )


def test_a_key_in_the_environment_is_asked_for(tmp_path: Path) -> None:
    with lmnb_serve(tmp_path, LMNB_API_KEY="sk-env") as server:
        url = server.url + "v1/models"
        assert httpx.get(url, timeout=60).status_code == 401
        assert (
            httpx.get(url, headers={"Authorization": "Bearer sk-env"}, timeout=60).status_code
            == 200
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_mid_stream_with_its_engines(
    tmp_path: Path, smollm2: Path, number: int
) -> None:
    with lmnb_serve(tmp_path, "--models", str(smollm2)) as server:
        body = {"model": MODEL, "prompt": "Once", "max_tokens": -1, "stream": True}
        with httpx.stream(
            "POST", server.url + "v1/completions", json={**body, "ignore_eos": True}, timeout=60
        ) as response:
            next(line for line in response.iter_lines() if line.startswith("data"))
            pid = httpx.get(server.url + "api/v1/status", timeout=60).json()["loaded"][0]["pid"]
            assert server.stop(number) == 0
        assert "Traceback" not in server.log
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [sys.executable, "-m", "lmnb", "serve", "--port", port],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert run.returncode == 1
    assert port in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "options", [["--slots", "many"], ["--slots", "0"], ["--load", "no-such-model"]]
)
def test_options_that_make_no_sense_are_a_clear_error(tmp_path: Path, options: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lmnb", "serve", "--port", "0", *options],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("lmnb: ")


def test_a_path_may_be_a_file_or_a_folder(
    tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    model = tiny_model("llama")
    with lmnb_serve(tmp_path, "--models", str(model.parent), str(model)) as server:
        ids = [one["id"] for one in httpx.get(server.url + "v1/models", timeout=60).json()["data"]]
        assert "tiny-llama" in ids


def test_importing_lmnb_loads_nothing_heavy() -> None:
    code = (
        "import sys, lmnb; lmnb._jupyter_server_extension_points;"
        "print([m for m in ('llama_cpp', 'numpy', 'tornado', 'openai', 'httpx', 'pydantic')"
        " if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_command_says_its_version() -> None:
    for words in (["version"], ["--version"]):
        out = subprocess.check_output([sys.executable, "-m", "lmnb", *words], text=True)
        assert out.startswith("lmnb ")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1"])
def test_the_address_that_is_said_is_one_that_answers(tmp_path: Path, host: str) -> None:
    with lmnb_serve(tmp_path, "--host", host) as server:
        assert server.url, server.log
        assert httpx.get(server.url + "health", trust_env=False).status_code == 200
