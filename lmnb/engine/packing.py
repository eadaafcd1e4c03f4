"""Texts on their way to become vectors: whose they are, and which are computed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from lmnb.engine.batch import Batch
from lmnb.engine.context import Context
from lmnb.engine.events import Embedded, Failed, SequenceEvent
from lmnb.engine.settling import LANES, PACKED_TOKENS
from lmnb.engine.vocab import Tokens
from lmnb.errors import DamagedModel, LmnbError

__all__ = ["Call", "Finish", "Job", "Vectors", "failed"]

NEARLY = 0.6
"""From this part of a tile on, a whole one is computed faster. Measured: MiniLM, 2 threads: 30 tokens
5.2 ms, 62 tokens 12.6, 64 tokens 6.9."""

Vectors = NDArray[np.float32]
Finish = Callable[[Vectors], Vectors]


class Job:
    """One request while it is computed: its texts as tokens, its rows as they come, and what is to
    become of the rows in the end."""

    def __init__(self, id: int, inputs: Sequence[Tokens], width: int, finish: Finish) -> None:
        self.id = id
        self.inputs = inputs
        self.rows: Vectors = np.zeros((len(inputs), width), np.float32)
        self.next = 0
        self.left = len(inputs)
        self._finish = finish

    def take(self, index: int, row: Vectors) -> None:
        self.rows[index] = row
        self.left -= 1

    def finish(self) -> SequenceEvent:
        vectors = self._finish(self.rows)
        if not np.isfinite(vectors).all():
            return failed(self.id, DamagedModel("The model computed NaN: its file is damaged."))
        data = np.ascontiguousarray(vectors, "<f4").tobytes()
        return Embedded(self.id, data, tuple(map(len, self.inputs)))


class Call:
    """Texts for one call of llama.cpp, in a context of their own, and then for the next. A text is
    never spread over two, which pooling over all its tokens and attention in both directions need;
    each has a lane of its own, and nothing is kept from one call to the next.
    """

    def __init__(self, context: Context, width: int) -> None:
        self.context = context
        self.texts: list[tuple[Job, int]] = []
        self.seconds = 0.0
        """That the last call took."""
        self._width = width
        self._batch = Batch(context.batch_size)
        self._room = min(PACKED_TOKENS, context.batch_size)

    @property
    def tokens(self) -> int:
        return self._batch.size

    def takes(self, tokens: Tokens) -> bool:
        """Is there room for one more text?"""
        if not self.texts:
            return len(tokens) <= self.context.batch_size
        return len(self.texts) < LANES and self.tokens + len(tokens) <= self._room

    def add(self, job: Job) -> None:
        """The next text of a request."""
        tokens = job.inputs[job.next]
        self._batch.add(tokens, 0, len(self.texts), logits=len(tokens))
        self.texts.append((job, job.next))
        job.next += 1

    def fill_a_tile(self) -> None:
        """With tokens in a lane of their own, which the others do not see."""
        size, tile, lane = self.tokens, self.context.tile, len(self.texts)
        if lane < LANES and NEARLY * tile < size < tile:
            self._batch.add(np.zeros(tile - size, np.int32), 0, lane, logits=tile - size)

    def compute(self, threads: int) -> int:
        """What `Context.decode` returns. May be called in any thread."""
        self.context.set_threads(threads)
        self.context.forget()
        start = perf_counter()
        code = self.context.decode(self._batch)
        self.seconds = perf_counter() - start
        return code

    def deliver(self) -> None:
        """To each request its rows."""
        for lane, (job, index) in enumerate(self.texts):
            job.take(index, self.context.vector(lane, self._width))

    def clear(self) -> None:
        self.texts = []
        self._batch.clear()


def failed(id: int, error: LmnbError) -> Failed:
    return Failed(id, type(error).__name__, error.message, error.param)
