"""How fast something comes, steady enough to be read and honest enough to notice a halt."""

from __future__ import annotations

import math

__all__ = ["Rate"]

WINDOW = 5.0
"""Seconds after which what was counts for a third."""


class Rate:
    """Fed with totals and times; `per_second` is None until there were two of them."""

    def __init__(self) -> None:
        self.per_second: float | None = None
        self._last: tuple[float, int] | None = None

    def update(self, total: int, now: float) -> None:
        """`now` in seconds of a clock that only goes forward. A total that shrinks begins anew."""
        if self._last is not None and total >= self._last[1]:
            seconds, gained = now - self._last[0], total - self._last[1]
            if seconds <= 0:
                return
            speed = gained / seconds
            if self.per_second is None:
                self.per_second = speed
            else:
                weight = 1 - math.exp(-seconds / WINDOW)
                self.per_second += weight * (speed - self.per_second)
        self._last = (now, total)
