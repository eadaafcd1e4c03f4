"""What a render may cost: a budget, so that a hostile template stops in well under a second.

A template is a program from a stranger. Each thing it does is paid for before it is done: one unit
for a step (an iteration, a call, an element) and one for every 64 characters touched or made, which
bounds time and memory together. The same request costs the same everywhere; a limit on the
thread's own CPU time stands behind it, for costs nobody thought of.
"""

from __future__ import annotations

import time
from collections.abc import ItemsView, Iterator, KeysView, ValuesView

from jinja2.exceptions import SecurityError
from jinja2.utils import Namespace

__all__ = ["CHARS_PER_UNIT", "UNITS", "Meter", "OverBudget", "weigh"]

CHARS_PER_UNIT = 64
UNITS = 300_000
CPU_SECONDS = 0.6
MAX_DEPTH = 64
_CLOCK_EVERY = 4_096


class OverBudget(SecurityError):
    """The template does more work than any honest one."""


class Meter:
    """The budget of one render."""

    __slots__ = ("_clock_at", "_deadline", "depth", "left")

    def __init__(self, units: int = UNITS) -> None:
        self.left = units
        self.depth = 0
        self._clock_at = max(self.left - _CLOCK_EVERY, 0)
        self._deadline = time.thread_time() + CPU_SECONDS * max(1.0, units / UNITS)

    def spend(self, units: int) -> None:
        """Raises OverBudget when the units are used up."""
        self.left -= units
        if self.left < self._clock_at:
            self._look_at_the_clock()

    def text(self, length: int) -> None:
        """Pays for a text of `length` characters."""
        self.spend(1 + length // CHARS_PER_UNIT)

    def pay(self, value: object) -> None:
        """Pays for touching all of `value`."""
        self.spend(weigh(value, self.left))

    def enter(self) -> None:
        """One call deeper: macros may recurse, not for ever. `leave` undoes it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise OverBudget(f"calls are nested more than {MAX_DEPTH} deep")

    def leave(self) -> None:
        self.depth -= 1

    def each(self, values: object) -> Iterator[object]:
        """Iterates over `values`, paying for each."""
        for value in values:  # type: ignore[attr-defined]
            self.spend(1)
            yield value

    def _look_at_the_clock(self) -> None:
        if self.left < 0 or time.thread_time() > self._deadline:
            raise OverBudget("it takes more steps than a chat template may")
        self._clock_at = max(self.left - _CLOCK_EVERY, 0)


def weigh(value: object, limit: int) -> int:
    """Units for touching all of `value`, shared parts as often as they appear.

    Stops at the first number above `limit`, which nobody can pay.

    A list that holds itself twice, thirty levels deep, is small in memory and endless to print,
    compare or hash: whoever does that asks here first.
    """
    if isinstance(value, str):
        return 1 + len(value) // CHARS_PER_UNIT
    total = 0
    stack = [value]
    while stack and total + len(stack) <= limit:
        item = stack.pop()
        total += 1
        if isinstance(item, str):
            total += len(item) // CHARS_PER_UNIT
        elif isinstance(item, (list, tuple, KeysView, ValuesView, ItemsView)):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, range):
            total += len(item)
        elif isinstance(item, Namespace):
            stack.append(object.__getattribute__(item, "_Namespace__attrs"))
    return total + len(stack)
