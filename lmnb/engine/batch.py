"""What one llama.cpp call computes."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from lmnb.engine.vocab import Tokens


class Batch:
    """Tokens for one llama.cpp call, in arrays that are made once. Holds `capacity` tokens."""

    non_causal = False

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        self._lane = np.zeros(capacity, np.int32)
        self._logits = np.zeros(capacity, np.int8)
        self._n_lanes = np.ones(capacity, np.int32)
        self._lane_pointers = self._lane.ctypes.data + 4 * np.arange(capacity, dtype=np.uintp)
        self._lane_pointers = np.ascontiguousarray(self._lane_pointers, dtype=np.uintp)
        self.struct = lib.llama_batch()
        for field, array in (
            ("token", self._token),
            ("pos", self._pos),
            ("n_seq_id", self._n_lanes),
            ("seq_id", self._lane_pointers),
            ("logits", self._logits),
        ):
            kind = dict(lib.llama_batch._fields_)[field]
            setattr(self.struct, field, ctypes.cast(array.ctypes.data, kind))

    @property
    def room(self) -> int:
        return self.capacity - self.size

    def clear(self) -> None:
        self.size = 0

    def add(self, tokens: Tokens, position: int, lane: int, *, logits: int) -> None:
        """Append consecutive tokens of one sequence; asks for the logits of the last `logits`."""
        start, end = self.size, self.size + len(tokens)
        if end > self.capacity:
            raise ValueError(f"{end} tokens in a batch of {self.capacity}")
        self._token[start:end] = tokens
        self._pos[start:end] = np.arange(position, position + len(tokens), dtype=np.int32)
        self._lane[start:end] = lane
        self._logits[start:end] = 0
        self._logits[end - logits : end] = 1
        self.size = end

    def add_one(self, token: int, position: int, lane: int) -> None:
        """Append one token and ask for its logits: the hot path of decoding."""
        i = self.size
        self._token[i] = token
        self._pos[i] = position
        self._lane[i] = lane
        self._logits[i] = 1
        self.size = i + 1


class PictureBatch:
    """Embeddings of (a part of) a picture, for one llama.cpp call of their own."""

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        positions: NDArray[np.int32],
        lane: int,
        *,
        logits: bool,
        non_causal: bool,
    ) -> None:
        """`embeddings` (tokens, width), `positions` (1 or 4, tokens). `logits`: of the last token."""
        self.size = len(embeddings)
        self.non_causal = non_causal
        self._lane = np.array([lane], np.int32)
        outputs = np.zeros(self.size, np.int8)
        outputs[-1] = logits
        self._arrays: dict[str, NDArray[Any]] = {
            "embd": np.ascontiguousarray(embeddings, np.float32),
            "pos": np.ascontiguousarray(positions, np.int32),
            "n_seq_id": np.ones(self.size, np.int32),
            "seq_id": np.full(self.size, self._lane.ctypes.data, np.uintp),
            "logits": outputs,
        }
        self.struct = lib.llama_batch()
        for field, array in self._arrays.items():
            kind = dict(lib.llama_batch._fields_)[field]
            setattr(self.struct, field, ctypes.cast(array.ctypes.data, kind))
