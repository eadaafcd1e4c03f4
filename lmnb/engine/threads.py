"""How many threads a step may use, on a machine where notebooks compute too.

ggml's threads wait for each other, spinning, at hundreds of barriers a token. When another process
holds one of the cores, each barrier lasts until the system's scheduler has been round: a step takes
a hundred times as long. One thread fewer than there are free cores is the cure, and it must be
known before the step begins. So a small thread watches how much of the machine others use; should
somebody begin to compute in the middle of a step, that step is abandoned and done again.

Measured (SmolLM2-135M, 2 cores, one busy kernel): docs/performance.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep

from lmnb.engine.cpu import OthersMeter

PERIOD = 0.15
"""Seconds between readings while steps are computed."""
IDLE_PERIOD = 0.5
TAKE = 0.5
"""A core of which others use so much is theirs."""
GIVE_BACK = 0.35
"""A core of which they use less, in two readings, is ours again."""
STUCK = 4.0
"""A step that takes so many times its usual time, while others compute, is abandoned."""


class ThreadGovernor:
    """Asked before each llama.cpp call, told after it."""

    def __init__(
        self,
        most: int,
        cores: int,
        *,
        adaptive: bool = True,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self.most = most
        self.threads = most
        self._cores = max(cores, most)
        self._abandon = abandon
        self._usual: dict[int, float] = {}
        self._begun: float | None = None
        self._ended = 0.0
        self._using = most
        self._patience = 0.0
        self._quiet = 0
        self._working = threading.Event()
        if adaptive and most > 1:
            threading.Thread(target=self._watch, daemon=True, name="lmnb-threads").start()

    def before(self, tokens: int) -> int:
        """Threads for a call that computes `tokens`."""
        usual = self._usual.get(tokens.bit_length())
        self._patience = max(0.05, STUCK * usual) if usual else 1.0
        self._using = self.threads
        self._begun = monotonic()
        self._working.set()
        return self._using

    def after(self, tokens: int, elapsed: float) -> None:
        """The call was not abandoned and took `elapsed` seconds."""
        self.rest()
        size = tokens.bit_length()
        usual = self._usual.get(size, elapsed)
        self._usual[size] = usual + 0.2 * (min(elapsed, 2 * usual) - usual)

    def rest(self) -> None:
        """No call is under way."""
        self._begun = None
        self._ended = monotonic()

    def _watch(self) -> None:
        meter = OthersMeter()
        while True:
            if self._begun is None and monotonic() - self._ended > IDLE_PERIOD:
                self._working.clear()
            self._working.wait(IDLE_PERIOD)
            sleep(PERIOD)
            self._settle(meter.read())
            if self._stuck():
                self._abandon()

    def _stuck(self) -> bool:
        begun = self._begun
        late = begun is not None and monotonic() - begun > self._patience
        return late and self._using > self.threads

    def _settle(self, others: float) -> None:
        """Follow what others use: down at once, up when they have been quiet for two readings."""
        fit = max(1, min(self.most, int(self._cores - others + TAKE)))
        roomy = max(1, min(self.most, int(self._cores - others + GIVE_BACK)))
        self._quiet = self._quiet + 1 if roomy > self.threads else 0
        if fit < self.threads:
            self.threads = fit
        elif self._quiet >= 2:
            self.threads, self._quiet = roomy, 0
