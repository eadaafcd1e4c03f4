"""Downloads and the servers that run them: killed, several at once, on a disk that is full."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hub import Fault, StandInHub
from tests.hub.models import SMOLLM2
from tests.server.spawn import Server, lmnb_serve

ROUTE = "api/v1/models/download"
FILE = "SmolLM2-135M-Instruct-Q4_1.gguf"
NAME = f"{SMOLLM2}/{FILE}"
MODEL = f"{SMOLLM2}@q4_1"
QUICK, SLOW = 60_000_000, 15_000_000
"""Bytes a second."""


@contextmanager
def serving(folder: Path, hub: StandInHub, home: Path | None = None) -> Iterator[Server]:
    environ = hub.environ(home or folder / "huggingface")
    with lmnb_serve(folder, "--no-jit", **environ) as server:
        assert server.url, server.log
        yield server


def ask(server: Server, verb: str, **body: str) -> Any:
    answer = httpx.post(server.url + ROUTE + verb, json=body, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def status(server: Server, id: str) -> Any:
    return httpx.get(f"{server.url}{ROUTE}/status/{id}", trust_env=False, timeout=30).json()


def until_ended(server: Server, id: str) -> Any:
    deadline = time.monotonic() + 60
    while (now := status(server, id))["state"] in ("queued", "downloading"):
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    return now


def until_sent(hub: StandInHub, count: int) -> None:
    deadline = time.monotonic() + 60
    while hub.sent(NAME) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def until_kept(home: Path, count: int) -> Path:
    """Until the one file that is not complete has so many bytes."""
    deadline = time.monotonic() + 60
    while not (parts := [one for one in home.rglob("*.part") if one.stat().st_size >= count]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    [part] = parts
    return part


def test_a_server_that_is_killed_goes_on_when_it_is_started_again(
    hub: StandInHub, tmp_path: Path
) -> None:
    hub.arm(NAME, Fault(bytes_per_second=SLOW))
    with serving(tmp_path, hub) as first:
        id = ask(first, "", model=MODEL)["job_id"]
        part = until_kept(tmp_path / "huggingface", 15_000_000)
        first.stop(signal.SIGKILL)
    kept, sent = part.stat().st_size, hub.sent(NAME)
    with serving(tmp_path, hub) as second:
        done = until_ended(second, id)
        assert done["state"] == "completed", done
        models = httpx.get(second.url + "api/v1/models", trust_env=False, timeout=30).json()[
            "models"
        ]
    assert done["key"] in [model["key"] for model in models]
    assert [one.headers.get("range") for one in hub.asked("GET", FILE)] == [None, f"bytes={kept}-"]
    assert hub.sent(NAME) == sent + done["total_size_bytes"] - kept


def test_two_servers_of_one_user_share_their_downloads(hub: StandInHub, tmp_path: Path) -> None:
    hub.arm(NAME, Fault(bytes_per_second=SLOW), Fault(bytes_per_second=QUICK))
    with serving(tmp_path, hub) as one, serving(tmp_path, hub) as two:
        id = ask(one, "", model=MODEL)["job_id"]
        until_sent(hub, 5_000_000)
        assert ask(two, "", model=MODEL)["job_id"] == id
        assert status(two, id)["downloaded_bytes"] > 0
        assert ask(two, "/pause", job_id=id)["state"] == "paused"
        kept = status(one, id)["downloaded_bytes"]
        assert ask(two, "/resume", job_id=id)["state"] in ("queued", "downloading")
        assert until_ended(one, id)["state"] == "completed"
    assert [one.headers.get("range") for one in hub.asked("GET", FILE)] == [None, f"bytes={kept}-"]


def test_two_users_servers_fetch_into_one_cache_once(hub: StandInHub, tmp_path: Path) -> None:
    """They know nothing of each other's jobs: the lock of huggingface_hub's cache is what they share."""
    hub.arm(NAME, Fault(bytes_per_second=QUICK))
    home = tmp_path / "shared"
    with serving(tmp_path / "a", hub, home) as one, serving(tmp_path / "b", hub, home) as two:
        ids = [ask(server, "", model=MODEL)["job_id"] for server in (one, two)]
        ends = [until_ended(server, id) for server, id in zip((one, two), ids, strict=True)]
    assert [end["state"] for end in ends] == ["completed", "completed"], ends
    assert hub.sent(NAME) == ends[0]["total_size_bytes"]


def test_a_disk_that_becomes_full_keeps_what_fits(
    hub: StandInHub, tmp_path: Path, small_disk: Path
) -> None:
    """The check before sees the room that another program then takes."""
    hub.arm(NAME, Fault(bytes_per_second=SLOW))
    with serving(tmp_path, hub, small_disk) as server:
        id = ask(server, "", model=MODEL)["job_id"]
        until_sent(hub, 10_000_000)
        (small_disk / "other").write_bytes(bytes(130_000_000))
        failed = until_ended(server, id)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "disk_full"), failed
        assert "are free" in failed["error"]["message"]
        kept = failed["downloaded_bytes"]
        assert kept >= 10_000_000
        (small_disk / "other").unlink()
        ask(server, "/resume", job_id=id)
        assert until_ended(server, id)["state"] == "completed"
    assert hub.asked("GET", FILE)[-1].headers["range"] == f"bytes={kept}-"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "lmnb-test", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
