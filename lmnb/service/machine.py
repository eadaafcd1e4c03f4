"""The memory of this machine: how much there is, and how much of it a model may take now."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from lmnb.engine.devices import Devices, Gpu, ask_devices
from lmnb.models.memory.need import Device, Machine
from lmnb.models.memory.weights import repacked_types

__all__ = ["MachineWatch", "main_memory"]

FRESH_SECONDS = 10.0
"""So long what GPUs say of their free memory is good."""
CGROUPS = Path("/sys/fs/cgroup")


class MachineWatch:
    """Looks at memory when it is asked; at GPUs at most every ten seconds. All methods block."""

    def __init__(
        self,
        ask: Callable[[], Devices] = ask_devices,
        *,
        environ: Mapping[str, str] = os.environ,
        cgroups: Path = CGROUPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._environ, self._cgroups, self._clock = ask, environ, cgroups, clock
        self._devices: Devices | None = None
        self._asked = 0.0
        self._turn = threading.Lock()

    def look(self) -> Machine:
        """What there is now."""
        devices = self._look_at_devices()
        total, free = main_memory(self._environ, self._cgroups)
        return Machine(
            cpu=Device("CPU", "cpu", total, free),
            gpus=tuple(_gpu(gpu, free) for gpu in devices.gpus),
            repacked=repacked_types(devices.features),
            reason=devices.reason,
        )

    def _look_at_devices(self) -> Devices:
        with self._turn:
            old = self._clock() - self._asked > FRESH_SECONDS
            if self._devices is None or (self._devices.gpus and old):
                self._devices, self._asked = self._ask(), self._clock()
            return self._devices


def _gpu(gpu: Gpu, main_free: int) -> Device:
    free = min(gpu.free, main_free) if gpu.shared else gpu.free
    return Device(gpu.name, "gpu", gpu.total, free, gpu.shared, gpu.description)


def main_memory(
    environ: Mapping[str, str] = os.environ, cgroups: Path = CGROUPS
) -> tuple[int, int]:
    """(total, free) bytes: the least of the machine's, the container's, and what JupyterHub grants."""
    machine = psutil.virtual_memory()
    limits = [(int(machine.total), int(machine.available))]
    limits += _cgroup(cgroups)
    if (granted := _granted(environ)) is not None:
        limits.append(granted)
    return min(total for total, _ in limits), max(0, min(free for _, free in limits))


def _cgroup(folder: Path) -> list[tuple[int, int]]:
    """Limits of the containers around this process and what is left of each; pages of files that
    nobody uses count as left. As version 2 and version 1 say it."""
    found = []
    for controller, limit, used, inactive in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for place in _around(folder / controller, controller):
            try:
                most = int((place / limit).read_text())
                now = int((place / used).read_text())
                lines = (place / "memory.stat").read_text().splitlines()
            except (OSError, ValueError):  # not this version, or "max"
                continue
            facts = dict(line.split()[:2] for line in lines if " " in line)
            found.append((most, most - now + int(facts.get(inactive, 0))))
    return found


def _around(root: Path, controller: str) -> list[Path]:
    """The folder of this process's group, those above it, and the root, which is all that a
    container sees."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [root]
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    paths = [path for _, names, path in groups if controller in names.split(",")]
    own = [root / path.strip("/") for path in paths]
    return [
        root,
        *(place for path in own for place in (path, *path.parents) if root in place.parents),
    ]


def _granted(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """`MEM_LIMIT`, which JupyterHub sets, less what this server and all its processes use."""
    try:
        most = int(environ["MEM_LIMIT"])
    except (KeyError, ValueError):
        return None
    own = psutil.Process()
    used = 0
    for process in (own, *own.children(recursive=True)):
        try:
            used += process.memory_info().rss
        except psutil.Error:  # it has ended
            continue
    return (most, most - used) if most > 0 else None
