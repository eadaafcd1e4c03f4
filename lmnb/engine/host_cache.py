"""What was evicted from the KV cache, in host memory."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from lmnb.engine.vocab import Tokens

__all__ = ["HostCache", "State", "common_prefix"]

State = NDArray[np.uint8]


class HostCache:
    """States of evicted lanes, oldest first, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[bytes, tuple[Tokens, State]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, tokens: Tokens, state: State) -> None:
        """Keep it, in place of whatever it begins with; the oldest make room."""
        for kept, _ in list(self._entries.values()):
            if common_prefix(kept, tokens) == len(kept):
                self.take(kept)
        if len(state) > self.limit:
            return
        while self.bytes + len(state) > self.limit:
            _, (_, oldest) = self._entries.popitem(last=False)
            self.bytes -= len(oldest)
        self._entries[tokens.tobytes()] = (tokens.copy(), state)
        self.bytes += len(state)

    def take(self, tokens: Tokens) -> State:
        """Remove an entry: it is in use again."""
        _, state = self._entries.pop(tokens.tobytes())
        self.bytes -= len(state)
        return state

    def covers(self, tokens: Tokens) -> bool:
        """Is all of this already here, as the beginning of something?"""
        return any(common_prefix(tokens, kept) == len(tokens) for kept, _ in self._entries.values())

    def best(self, prompt: Tokens) -> tuple[int, Tokens | None]:
        """The longest prefix of `prompt` that an entry begins with, and that entry's tokens."""
        found: tuple[int, Tokens | None] = (0, None)
        for kept, _ in self._entries.values():
            n = common_prefix(prompt, kept)
            if n > found[0]:
                found = (n, kept)
        return found


def common_prefix(a: Tokens, b: Tokens) -> int:
    """Length of the longest common beginning."""
    n = min(len(a), len(b))
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n
