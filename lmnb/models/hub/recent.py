"""Answers that stay good for a few minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Keeps up to `size` values for `seconds` each; any thread may ask."""

    def __init__(
        self, seconds: float, size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._values: dict[Hashable, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of `key`, made if there is none or it is too old. What `make` raises is not
        kept. Two threads may make the same value at once."""
        with self._lock:
            found = self._values.get(key)
        if found is not None and self._clock() < found[0]:
            return found[1]
        value = make()
        with self._lock:
            self._values.pop(key, None)
            while len(self._values) >= self._size:
                del self._values[next(iter(self._values))]
            self._values[key] = (self._clock() + self._seconds, value)
        return value
