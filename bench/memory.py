"""Memory of processes and all they started, as proportional set size (PSS), from /proc.

Linux only: `supported()` is False elsewhere, and the figures are then absent. PSS counts a page
that k processes share as 1/k in each, so the sum over a tree counts every page once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")


def supported() -> bool:
    return (PROC / "self" / "smaps_rollup").exists()


def descendants(pids: Iterable[int]) -> list[int]:
    """The given processes that still live, and all they started, at any depth."""
    children: dict[int, list[int]] = {}
    alive = set()
    for entry in os.listdir(PROC):
        if entry.isdigit():
            try:
                stat = (PROC / entry / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            alive.add(int(entry))
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    todo = list(pids)
    while todo:
        pid = todo.pop()
        if pid in alive and pid not in found:
            found.append(pid)
            todo += children.get(pid, [])
    return found


def parse_pss(smaps_rollup: str) -> int:
    """KiB, from the text of a smaps_rollup file."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def pss_mib(pids: Iterable[int]) -> float:
    """PSS of the given processes and all they started."""
    total = 0
    for pid in descendants(pids):
        try:
            total += parse_pss((PROC / str(pid) / "smaps_rollup").read_text())
        except OSError:  # ended, or of another user
            continue
    return total / 1024


class PeakMemory:
    """Samples while the `async with` block runs, in a thread, and once at its end."""

    def __init__(self, pids: Iterable[int], *, interval: float = 1.0) -> None:
        self.pids = tuple(pids)
        self.interval = interval
        self.peak_mib: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def _sample(self) -> None:
        value = await asyncio.to_thread(pss_mib, self.pids)
        self.peak_mib = max(value, self.peak_mib or 0.0)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.interval)
            await self._sample()

    async def __aenter__(self) -> PeakMemory:
        if self.pids and supported():
            self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._sample()
