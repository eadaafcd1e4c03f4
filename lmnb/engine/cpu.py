"""The machine's processors: how many are ours to use, and how much of them others use now."""

from __future__ import annotations

import math
import os
from pathlib import Path
from time import monotonic, process_time

import psutil


def usable_cores() -> int:
    """Physical cores this process may keep busy, at least 1.

    The least of: the processor affinity, the physical cores, a container's quota (cgroup v2
    `cpu.max`), and the `CPU_LIMIT` that JupyterHub sets.
    """
    limits = [float(usable_processors()), float(psutil.cpu_count(logical=False) or math.inf)]
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        limits.append(float(quota) / float(period))
    except (OSError, ValueError):  # no cgroup v2 here, or "max"
        pass
    try:
        limits.append(float(os.environ.get("CPU_LIMIT") or math.inf))
    except ValueError:
        pass
    return max(1, math.ceil(min(limits)))


def usable_processors() -> int:
    """Those this process may run on, as the system counts them: two for a core with hyper-threads."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


class OthersMeter:
    """Cores' worth of time that other processes (and the hypervisor) took since the last reading.

    The system's clock of processor time ticks every 10 ms: readings closer together than 100 ms
    say little.
    """

    def __init__(self) -> None:
        self._last = self._now()

    def read(self) -> float:
        before, self._last = self._last, self._now()
        wall, busy, own = (now - then for now, then in zip(self._last, before, strict=True))
        return max(0.0, busy - own) / max(wall, 1e-3)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        times = psutil.cpu_times()
        counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        return monotonic(), sum(times) - counted_twice - idle, process_time()
