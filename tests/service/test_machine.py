"""How much memory a model may take: within a container, under JupyterHub, on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lmnb.engine.devices import Devices, Gpu, ask_devices
from lmnb.service.machine import FRESH_SECONDS, MachineWatch, main_memory

GIB = 1 << 30


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_a_machine_without_limits(tmp_path: Path) -> None:
    total, free = main_memory({}, tmp_path)
    assert total == psutil.virtual_memory().total
    assert 0 < free < total


def test_a_container_of_version_2_limits(tmp_path: Path) -> None:
    write(
        tmp_path,
        memory__max="1000000\n",
        memory__current="600000\n",
        memory__stat="anon 500000\ninactive_file 50000\n",
    )
    assert main_memory({}, tmp_path) == (1000000, 450000)


def test_a_container_of_version_1_limits(tmp_path: Path) -> None:
    write(
        tmp_path / "memory",
        memory__limit_in_bytes="2000000\n",
        memory__usage_in_bytes="1500000\n",
        memory__stat="cache 9\ntotal_inactive_file 100000\n",
    )
    assert main_memory({}, tmp_path) == (2000000, 600000)


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    write(tmp_path, memory__max="max\n", memory__current="600000\n", memory__stat="")
    assert main_memory({}, tmp_path)[0] == psutil.virtual_memory().total


def test_what_jupyterhub_grants_less_what_is_used(tmp_path: Path) -> None:
    own = psutil.Process().memory_info().rss
    total, free = main_memory({"MEM_LIMIT": str(2 * GIB)}, tmp_path)
    assert total == 2 * GIB
    assert free <= 2 * GIB - own / 2
    assert main_memory({"MEM_LIMIT": "1000"}, tmp_path) == (1000, 0)
    assert main_memory({"MEM_LIMIT": "much"}, tmp_path)[0] > 2 * GIB


def test_llama_cpp_says_which_devices_there_are() -> None:
    devices = ask_devices()
    assert devices.features
    assert devices.gpus or "GPU" in devices.reason


def test_no_answer_is_no_gpu_and_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/does/not/exist")
    devices = ask_devices()
    assert not devices.gpus and "did not say" in devices.reason


def test_gpus_are_asked_again_when_what_they_said_is_old(tmp_path: Path) -> None:
    free = iter((3 * GIB, 2 * GIB, 1 * GIB))
    now = [0.0]

    def ask() -> Devices:
        return Devices((Gpu("CUDA0", "A card", 8 * GIB, next(free), False),))

    watch = MachineWatch(ask, environ={}, cgroups=tmp_path, clock=lambda: now[0])
    assert [watch.look().gpus[0].free for _ in range(3)] == [3 * GIB] * 3
    now[0] = FRESH_SECONDS + 1
    assert watch.look().gpus[0].free == 2 * GIB
    assert watch.look().gpus[0].description == "A card"


def test_without_gpus_nobody_is_asked_again(tmp_path: Path) -> None:
    answers: Iterator[Devices] = iter([Devices(reason="none")])
    now = [0.0]
    watch = MachineWatch(lambda: next(answers), environ={}, cgroups=tmp_path, clock=lambda: now[0])
    assert watch.look().reason == "none"
    now[0] = 1e6
    assert watch.look().reason == "none"


def test_shared_memory_is_not_more_than_there_is(tmp_path: Path) -> None:
    environ = {"MEM_LIMIT": str(GIB)}
    gpu = Gpu("Metal", "Apple M2", 32 * GIB, 20 * GIB, True)
    watch = MachineWatch(lambda: Devices((gpu,)), environ=environ, cgroups=tmp_path)
    assert watch.look().gpus[0].free <= GIB
