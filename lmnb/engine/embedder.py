"""Texts to vectors: many short ones in one call of llama.cpp, from all requests in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from lmnb.engine.batch import Batch
from lmnb.engine.context import Context
from lmnb.engine.events import Embedded, EngineStatus, Failed, SequenceEvent
from lmnb.engine.settling import LANES, PACKED_TOKENS
from lmnb.engine.threads import ThreadGovernor
from lmnb.engine.vocab import Tokens
from lmnb.errors import DamagedModel, EngineError, LmnbError, ServiceClosed

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


class Embedder:
    """What the `Scheduler` is for text. A text is never spread over two calls, which pooling over
    all its tokens and attention in both directions need; each has a lane of its own in its call,
    and nothing is kept from one call to the next.
    """

    def __init__(self, context: Context, width: int, threads: ThreadGovernor) -> None:
        self.context = context
        self.threads = threads
        self._width = width
        self._batch = Batch(context.batch_size)
        self._room = min(PACKED_TOKENS, context.batch_size)
        self._queue: deque[Job] = deque()
        self._jobs: dict[int, Job] = {}
        self._packed: list[tuple[Job, int]] = []
        self._totals = {"tokens": 0, "steps": 0}
        self._seconds = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def __len__(self) -> int:
        """Requests under way."""
        return len(self._jobs)

    def add(self, id: int, inputs: Sequence[Tokens], finish: Finish) -> None:
        """Compute these; none may be empty or longer than `context.batch_size`."""
        self._jobs[id] = job = Job(id, inputs, self._width, finish)
        self._queue.append(job)

    def cancel(self, id: int) -> list[SequenceEvent]:
        """Forget a request. An unknown id has ended already."""
        if id not in self._jobs:
            return []
        return [self._fail(id, ServiceClosed("The request was cancelled."))]

    def step(self) -> list[SequenceEvent]:
        """One call of llama.cpp; the requests that ended with it."""
        if not self._packed:
            self._pack()
            self._fill_a_tile()
        code = self._compute()
        if code == 2:  # abandoned: others need the cores; done again with fewer threads
            return []
        packed, self._packed = self._packed, []
        self._batch.clear()
        if code:
            error = EngineError(f"llama.cpp failed to compute (code {code}).")
            ids = dict.fromkeys(job.id for job, _ in packed)
            return [self._fail(id, error) for id in ids if id in self._jobs]
        for lane, (job, index) in enumerate(packed):
            job.take(index, self.context.vector(lane, self._width))
        done = dict.fromkeys(job for job, _ in packed if not job.left and job.id in self._jobs)
        for job in done:
            del self._jobs[job.id]
        return [job.finish() for job in done]

    def status(self) -> EngineStatus:
        return EngineStatus(
            running=len(self._jobs),
            reading=len(self._jobs),
            waiting=0,
            threads=self.context.threads,
            cells_used=0,
            cells_total=0,
            host_cache_bytes=0,
            host_cache_entries=0,
            tokens_generated=0,
            prompt_tokens=self._totals["tokens"],
            cached_tokens=0,
            steps=self._totals["steps"],
            python_seconds=0.0,
            step_seconds=self._seconds,
        )

    def _pack(self) -> None:
        """One text of each request in turn, so that one of thousands holds up nobody else."""
        while self._queue and len(self._packed) < LANES:
            job = self._queue[0]
            tokens = job.inputs[job.next]
            if self._packed and self._batch.size + len(tokens) > self._room:
                return
            self._batch.add(tokens, 0, len(self._packed), logits=len(tokens))
            self._packed.append((job, job.next))
            job.next += 1
            self._queue.popleft()
            if job.next < len(job.inputs):
                self._queue.append(job)

    def _fill_a_tile(self) -> None:
        """With tokens in a lane of their own, which the others do not see."""
        size, tile, lane = self._batch.size, self.context.tile, len(self._packed)
        if lane < LANES and NEARLY * tile < size < tile:
            self._batch.add(np.zeros(tile - size, np.int32), 0, lane, logits=tile - size)

    def _compute(self) -> int:
        tokens = self._batch.size
        self.context.set_threads(self.threads.before(tokens))
        self.context.forget()
        start = perf_counter()
        code = self.context.decode(self._batch)
        elapsed = perf_counter() - start
        self._seconds += elapsed
        if code == 2:
            self.threads.rest()
        else:
            self.threads.after(tokens, elapsed)
            self._totals["tokens"] += sum(len(job.inputs[index]) for job, index in self._packed)
            self._totals["steps"] += 1
        return code

    def _fail(self, id: int, error: LmnbError) -> Failed:
        job = self._jobs.pop(id)
        if job in self._queue:
            self._queue.remove(job)
        return failed(id, error)


def failed(id: int, error: LmnbError) -> Failed:
    return Failed(id, type(error).__name__, error.message, error.param)
