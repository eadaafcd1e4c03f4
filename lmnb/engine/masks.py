"""Which tokens grammars allow next: computed for all sequences while llama.cpp computes, or after.

Beside llama.cpp is better where a processor is left for it. Where llama.cpp has them all its threads
wait for one another at hundreds of barriers a step, and one that gives way to a mask stops them all: there
masks take their 15 to 100 us each after the step (measured in docs/architecture.md).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray

from lmnb.engine.complaints import too_complex
from lmnb.errors import EngineError, LmnbError

Allowed = NDArray[np.intp]
"""Ids of the tokens that may come next, in order."""


class Masks:
    """One thread, which gets one job a step: handing over each mask would cost more than it takes.
    llguidance releases the GIL."""

    def __init__(self, vocabulary: int) -> None:
        self._size = vocabulary
        self._thread = ThreadPoolExecutor(1, "lmnb-mask")
        self._wanted: list[tuple[LLMatcher, Future[Allowed]]] = []

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def want(self, matcher: LLMatcher) -> Future[Allowed]:
        """What may come next; computed by `begin` or `finish`. `matcher` is not to be touched until
        then. The future raises InvalidRequest when the grammar proves too complex."""
        future: Future[Allowed] = Future()
        self._wanted.append((matcher, future))
        return future

    def begin(self) -> None:
        """Compute all that is wanted in the thread: llama.cpp begins too."""
        if self._wanted:
            wanted, self._wanted = self._wanted, []
            self._thread.submit(self._compute, wanted)

    def finish(self) -> None:
        """Compute here and now what the thread was not asked for."""
        wanted, self._wanted = self._wanted, []
        self._compute(wanted)

    def _compute(self, wanted: list[tuple[LLMatcher, Future[Allowed]]]) -> None:
        for matcher, future in wanted:
            try:
                future.set_result(self.allowed(matcher))
            except LmnbError as error:
                future.set_exception(error)
            except BaseException as error:  # a panic of llguidance's is not an Exception
                future.set_exception(EngineError(f"llguidance failed: {error}"))

    def bits(self, matcher: LLMatcher) -> NDArray[np.uint32]:
        """llguidance's own form: one bit for each token."""
        bits = np.empty((self._size + 31) // 32, np.uint32)
        matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        return bits

    def allowed(self, matcher: LLMatcher) -> Allowed:
        bits = self.bits(matcher)
        if matcher.is_error():
            raise too_complex(matcher)
        marks = np.unpackbits(bits.view(np.uint8), count=self._size, bitorder="little")
        allowed = np.flatnonzero(marks.view(np.bool_))
        if not len(allowed):
            raise EngineError("The grammar allows nothing that this model's tokens can write.")
        return allowed
