"""How many threads a step may use, on a machine where notebooks compute too.

ggml's threads wait for each other, spinning, at hundreds of barriers a token. When another process
holds one of the cores, each barrier lasts until the system's scheduler has been round: a step takes
a hundred times as long. One thread fewer than there are free cores is the cure, and it must be
known before the step begins. So a small thread watches how much of the machine others use; should
somebody begin to compute in the middle of a step, that step is abandoned and done again.

What others use is not all a reason: the server and the clients that read our own tokens use a good
part of a core in short bursts, which cost a step little. A core that is all but taken is given up at
once; one that is half taken only if steps really got slower.

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
FIRST_PERIOD = 0.06
"""Until the first reading when work begins again."""
TAKEN = 0.85
"""A core of which others use so much is theirs."""
SHARED = 0.4
"""A core of which they use so much is theirs if our steps are slow."""
SLOW = 1.6
"""Steps are slow when they take so many times what they usually take."""
FREE = 0.6
"""A core of which they use less, in two readings, is tried again."""
STUCK = 4.0
"""A step that takes so many times its usual time, while others compute, is abandoned."""
FIRST_HOLD, LAST_HOLD = 0.5, 8.0
"""Seconds before a core is tried again; doubled when the trial fails before the last of them."""


class Pace:
    """What a step of so many tokens on so many threads usually takes, and how the last ones were."""

    def __init__(self) -> None:
        self.lately = 1.0
        self._usual: dict[tuple[int, int], float] = {}

    def usual(self, tokens: int, threads: int) -> float | None:
        each = self._usual.get(self._kind(tokens, threads))
        return each and each * tokens

    def note(self, tokens: int, threads: int, elapsed: float) -> None:
        """Good times are believed at once, bad ones slowly: they may be somebody else's fault."""
        kind, each = self._kind(tokens, threads), elapsed / tokens
        usual = self._usual.get(kind, each)
        self.lately += 0.4 * (min(each / usual, 2 * STUCK) - self.lately)
        self._usual[kind] = usual + (0.3 if each < usual else 0.02) * (each - usual)

    def forget_lately(self) -> None:
        self.lately = 1.0

    @staticmethod
    def _kind(tokens: int, threads: int) -> tuple[int, int]:
        return (tokens if tokens <= 64 else -tokens.bit_length(), threads)


class ThreadGovernor:
    """Asked before each llama.cpp call, told after it."""

    def __init__(
        self,
        most: int,
        cores: int,
        *,
        adaptive: bool = True,
        abandon: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.most = most
        self.threads = most
        self._cores = max(cores, most)
        self._abandon = abandon
        self._clock = clock
        self._pace = Pace()
        self._begun: float | None = None
        self._ended = 0.0
        self._using = most
        self._usual: float | None = None
        self._free_readings = 0
        self._hold = FIRST_HOLD
        self._changed = 0.0
        self._trial = False
        self._working = threading.Event()
        if adaptive and most > 1:
            threading.Thread(target=self._watch, daemon=True, name="lmnb-threads").start()

    def before(self, tokens: int) -> int:
        """Threads for a call that computes `tokens`."""
        self._using = self.threads
        self._usual = self._pace.usual(tokens, self._using)
        self._begun = self._clock()
        self._working.set()
        return self._using

    def after(self, tokens: int, elapsed: float) -> None:
        """The call was not abandoned and took `elapsed` seconds."""
        self.rest()
        self._pace.note(tokens, self._using, elapsed)

    def apart(self) -> int:
        """Threads for calls that are made at the same time. They do not wait for each other, so
        none is ever stuck."""
        self.rest()
        self._working.set()
        return self.threads

    def rest(self) -> None:
        """No call is under way."""
        self._begun = None
        self._ended = self._clock()

    def settle(self, others: float, *, afresh: bool = False) -> None:
        """Follow a reading: `others` is how many cores other processes used lately.

        Down at once, up when they have been quiet twice and the last change is a while ago.
        `afresh`: nothing was computed for a while, in which others may have come and gone.
        """
        now = self._clock()
        late = self._late(now)
        slow = max(self._pace.lately, late)
        fit = self._fit(others, SHARED if slow > SLOW else TAKEN)
        roomy = self._fit(others, FREE)
        self._free_readings = self._free_readings + 1 if roomy > self.threads else 0
        since = now - self._changed
        if fit < self.threads:
            failed = self._trial and since < LAST_HOLD
            self._hold = min(LAST_HOLD, 2 * self._hold) if failed else FIRST_HOLD
            self._set(fit, now, trial=False)
        elif (afresh and roomy > self.threads) or (self._free_readings >= 2 and since > self._hold):
            self._set(roomy, now, trial=True)
        if self._using > self.threads and late > STUCK:
            self._abandon()

    def _set(self, threads: int, now: float, *, trial: bool) -> None:
        self.threads, self._changed, self._trial = threads, now, trial
        self._free_readings = 0
        self._pace.forget_lately()

    def _fit(self, others: float, share: float) -> int:
        """Cores of which others use less than `share`, at least one and at most what we may."""
        return max(1, min(self.most, int(self._cores - others + share)))

    def _late(self, now: float) -> float:
        """How many times its usual time the call under way has taken already."""
        begun, usual = self._begun, self._usual
        if begun is None:
            return 0.0
        return (now - begun) / max(usual or 0.25, 0.0125)

    def _watch(self) -> None:
        meter, idle = OthersMeter(), False
        while True:
            if self._begun is None and self._clock() - self._ended > IDLE_PERIOD:
                self._working.clear()
                idle = True
            afresh = self._working.wait(IDLE_PERIOD) and idle
            if afresh:
                meter.read()
                idle = False
            sleep(FIRST_PERIOD if afresh else PERIOD)
            self.settle(meter.read(), afresh=afresh)
