"""How long something computes, whatever else the machine does."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def computing_at_most(seconds: float) -> Iterator[None]:
    """Of this thread's own time. How much garbage there is to collect is other tests' doing."""
    gc.disable()
    began = time.thread_time()
    try:
        yield
        spent = time.thread_time() - began
    finally:
        gc.enable()
    assert spent < seconds
