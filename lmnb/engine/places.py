"""Where tokens stand in a sequence that has pictures in it."""

from __future__ import annotations

import numpy as np

from lmnb.engine.glance import Glance
from lmnb.engine.vocab import Tokens


class Places:
    """Tokens and positions are the same numbers, but for models that lay a picture's tokens out in
    rows and columns: there the picture takes up fewer positions than it has tokens."""

    def __init__(self) -> None:
        self._saved: dict[int, int] = {}

    def learn(self, glance: Glance) -> None:
        """Once for every glance that is in a prompt."""
        if glance.positions != glance.length:
            self._saved[2 * glance.key] = glance.length - glance.positions

    def position(self, tokens: Tokens, index: int) -> int:
        """Of token number `index`, which is not inside a picture."""
        if not self._saved:
            return index
        before = tokens[:index]
        return index - sum(self._saved.get(int(key), 0) for key in before[before < 0])

    @staticmethod
    def whole(tokens: Tokens, count: int) -> int:
        """The largest number up to `count` of first tokens that cuts no picture in two."""
        if count >= len(tokens) or not _inside(int(tokens[count])):
            return count
        firsts = np.flatnonzero((tokens[:count] < 0) & (tokens[:count] % 2 == 0))
        return int(firsts[-1])


def _inside(token: int) -> bool:
    """Is it a picture's, and not its first?"""
    return token < 0 and token % 2 != 0
