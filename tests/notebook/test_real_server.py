"""The whole way: a kernel of a real notebook server, a real engine, a real model."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.notebook.kernels import ROOT, Kernel
from tests.processes import gone
from tests.server.spawn import Server, jupyter_server

TOKEN = "notebook-token"
MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    option = f"--IdentityProvider.token={TOKEN}"
    with jupyter_server(folder, option, PYTHONPATH=str(ROOT)) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: Server, folder: Path) -> Iterator[Kernel]:
    kernel = Kernel.of_server(server.url.removesuffix("lmnb/"), TOKEN, folder / "runtime")
    assert kernel.run("%load_ext lmnb").outputs == []
    yield kernel
    kernel.close()


def engine_status(server: Server) -> dict:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = server.url + "api/v1/status"
    answer = httpx.get(url, headers=headers, trust_env=False, timeout=60)
    return answer.json()["loaded"][0]


def test_a_kernel_loads_asks_and_unloads_on_its_own_server(kernel: Kernel) -> None:
    ran = kernel.run(f"%lms load {MODEL} -c 2048 --parallel 2")
    assert "context 2,048, 2 parallel" in ran.text()
    ran = kernel.run("%%lms -t 0 --max-tokens 20 --out answer\nSay hello.", timeout=120)
    assert ran.status == "ok"
    assert f"/ 2,048 · {MODEL}" in ran.text("text/markdown")
    assert kernel.value("answer.usage['completion_tokens']") <= 20
    assert MODEL in kernel.run("%lms ps").text()
    assert "is unloaded" in kernel.run("%lms unload").stream()


def test_a_bare_openai_client_reaches_the_kernels_own_server(kernel: Kernel) -> None:
    ran = kernel.run(
        "from openai import OpenAI\n"
        "print([m.id for m in OpenAI().models.list()])\n"
        "stream = OpenAI().chat.completions.create(model='smollm2-135m-instruct', max_tokens=8,\n"
        "    temperature=0, messages=[{'role': 'user', 'content': 'hi'}], stream=True)\n"
        "print(sum(1 for chunk in stream) > 2)",
        timeout=120,
    )
    assert MODEL in ran.stream()
    assert "True" in ran.stream()


def test_an_interrupt_stops_the_engine_and_the_next_cell_runs(
    kernel: Kernel, server: Server
) -> None:
    kernel.run("%lms reset")
    story = "%%lms -t 0.5 --seed 1\nWrite a very long story about a lighthouse."
    ran = kernel.run(story, interrupt_at=" the ", timeout=120)
    assert ran.status == "error"
    assert "interrupted</sub>" in ran.text("text/markdown")
    deadline = time.monotonic() + 30
    while engine_status(server)["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert kernel.run("%%lms --max-tokens 5\nGo on.", timeout=120).status == "ok"


def test_a_killed_engine_is_one_red_line_and_the_next_cell_has_a_new_one(
    kernel: Kernel, server: Server
) -> None:
    kernel.run("%lms reset")
    killed = []

    def kill() -> None:
        pid = engine_status(server)["pid"]
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    kernel._interrupt, interrupt = kill, kernel._interrupt  # type: ignore[method-assign]
    story = "%%lms -t 0.5 --seed 1\nWrite a very long story about a lighthouse."
    ran = kernel.run(story, interrupt_at=" the ", timeout=120)
    kernel._interrupt = interrupt  # type: ignore[method-assign]
    assert killed
    assert ran.status == "error"
    assert ran.stream("stderr").count("\n") == 1
    assert " the " in ran.text()  # what had come is kept
    assert kernel.run("%%lms --max-tokens 5\nHello?", timeout=120).status == "ok"


def test_an_unknown_model_is_an_error_that_names_near_ones(kernel: Kernel) -> None:
    ran = kernel.run("%%lms -m smollm2-135m-instrukt\nhi")
    assert ran.status == "error"
    assert MODEL in ran.stream("stderr")


def test_a_prompt_too_long_says_both_numbers(kernel: Kernel) -> None:
    kernel.run(f"%lms unload --all\n%lms load {MODEL} -c 256")
    kernel.run("words = 'word ' * 1000")
    ran = kernel.run("%%lms\n{words}", timeout=120)
    kernel.run("%lms unload")
    assert ran.status == "error"
    assert "256" in ran.stream("stderr")


@pytest.mark.parametrize("mode", ["password", "no auth"])
def test_servers_without_a_token_are_found_and_opened(mode: str, tmp_path: Path) -> None:
    """Jupyter gives them no token: a password server takes lmnb's own key."""
    hashed = "argon2:$argon2id$v=19$m=10240,t=10,p=8$c29tZXNhbHQ$c29tZWhhc2g"
    options = ["--IdentityProvider.token="]
    if mode == "password":
        options.append(f"--PasswordIdentityProvider.hashed_password={hashed}")
    with jupyter_server(tmp_path, *options, PYTHONPATH=str(ROOT)) as server:
        own = Kernel.local({"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")})
        try:
            own.run(f"import os; os.environ['JPY_PARENT_PID'] = '{server.process.pid}'")
            own.run("%load_ext lmnb")
            assert MODEL in own.run("%lms ls").text(), server.log
            ran = own.run("%%lms --max-tokens 5\nhi", timeout=120)
            assert ran.status == "ok", ran.stream("stderr")
        finally:
            own.close()


def test_a_server_of_ones_own_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    code = (
        "from lmnb.notebook.connection.local_server import LocalServer\n"
        "from lmnb.notebook.connection.client import Client\n"
        "server = LocalServer()\n"
        "models = Client(server.connection).models()\n"
        "print(server.pid, len(models), flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    env = os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid, count = map(int, parent.stdout.readline().split())
        assert not gone(pid)
        assert count >= 1
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
