"""A piece of a picture, as a model takes it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmnb.engine.vocab import Tokens


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False, kw_only=True)
class Glance:
    """What is encoded at once: `length` tokens, which take up `positions`.

    `key` stands for these pixels: no others have it, and the same ones have it again. In a sequence's
    tokens the first of a glance is `2 * key`, the others `2 * key + 1`, with `key` below zero: no
    tokens of the vocabulary.
    """

    key: int
    digest: bytes
    length: int
    positions: int
    non_causal: bool
    """Its tokens see each other, the later ones too."""
    handle: Any
    """mtmd's own object."""

    def __len__(self) -> int:
        return self.length

    @property
    def tokens(self) -> Tokens:
        tokens = np.full(self.length, 2 * self.key + 1, np.int32)
        tokens[0] = 2 * self.key
        return tokens


Looked = list[Tokens | Glance]
"""A picture as the model reads it: glances, and the tokens that it wants around them."""
