"""How many threads a step may use, on a machine where notebooks compute too.

ggml's threads wait for each other at hundreds of barriers a token, spinning. When another process
holds one of the cores, every barrier lasts a scheduler's time slice and the engine all but stops.
Fewer threads than free cores is the cure; this class finds out how many are free.
"""

from __future__ import annotations

import os
from time import process_time


def usable_cores() -> int:
    """Cores this process may run on; at least 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        return max(1, os.cpu_count() or 1)


class ThreadGovernor:
    """Asked before each llama.cpp call, told after it."""

    def __init__(self, most: int, *, adaptive: bool = True) -> None:
        self.most = most
        self.threads = most
        self._adaptive = adaptive and most > 1
        self._cpu = 0.0

    def before(self, tokens: int) -> int:
        if self._adaptive:
            self._cpu = process_time()
        return self.threads

    def after(self, tokens: int, elapsed: float) -> None:
        if not self._adaptive:
            return
