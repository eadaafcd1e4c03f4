"""Texts to vectors: many short ones in a call of llama.cpp, from all requests in turn."""

from __future__ import annotations

import functools
import queue
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from lmnb.engine.context import Context
from lmnb.engine.events import EngineStatus, Failed, SequenceEvent
from lmnb.engine.packing import Call, Finish, Job, failed
from lmnb.engine.threads import ThreadGovernor
from lmnb.engine.vocab import Tokens
from lmnb.errors import EngineError, LmnbError, ServiceClosed

__all__ = ["Embedder"]

FULL = 64
"""Tokens from which a call is worth a context of its own: a whole tile of flash attention."""
ENOUGH = 128
"""Tokens from which a call gains nothing by more. Measured: MiniLM, texts/s with 64, 130, 260 and 512
tokens a call: 138, 138, 140, 128 by two threads together, 141, 155, 157, 150 apart."""
ABANDONED = 2
"""What a call returns that is to be done again."""


class Embedder:
    """What the `Scheduler` is for text.

    Few tokens are computed by all threads together, for they are wanted soon. Many go to several
    contexts at the same time, each with threads of its own: threads that do not wait for each other
    at hundreds of barriers a call compute more. Measured: MiniLM, texts of 10 to 120 tokens, 2 cores:
    132 texts/s with calls of two threads, 155 with two of one.
    """

    def __init__(
        self,
        contexts: Sequence[Context],
        width: int,
        threads: ThreadGovernor,
        *,
        threads_apart: int,
        wake: Callable[[], None],
    ) -> None:
        """The first context takes every text, further ones short texts, `threads_apart` each.
        `wake` is called, from any thread, when `waits` may be over."""
        self.threads = threads
        self._width = width
        self._threads_apart = threads_apart
        self._wake = wake
        self._free = deque(Call(context, width) for context in contexts)
        self._first = self._free[0]
        self._most = len(self._free)
        self._running = 0
        self._ended: queue.SimpleQueue[tuple[Call, Future[int]]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(self._most, "lmnb-vectors")
        self._queue: deque[Job] = deque()
        self._jobs: dict[int, Job] = {}
        self._waiting = 0  # tokens
        self._totals = {"tokens": 0, "steps": 0}
        self._seconds = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    @property
    def waits(self) -> bool:
        """Is there nothing to do until a call ends, which `wake` tells, or more texts come?"""
        if not self._running or not self._ended.empty():
            return False
        room = self._running < self._calls_now(self.threads.threads)
        return not (room and self._waiting >= FULL)

    def __len__(self) -> int:
        """Requests under way."""
        return len(self._jobs)

    def close(self) -> None:
        """What is computed is waited for."""
        self._pool.shutdown()

    def add(self, id: int, inputs: Sequence[Tokens], finish: Finish) -> None:
        """Compute these; none may be empty or longer than the first context takes."""
        self._jobs[id] = job = Job(id, inputs, self._width, finish)
        self._queue.append(job)
        self._waiting += sum(map(len, inputs))

    def cancel(self, id: int) -> list[SequenceEvent]:
        """Forget a request. An unknown id has ended already."""
        if id not in self._jobs:
            return []
        return [self._fail(id, ServiceClosed("The request was cancelled."))]

    def step(self) -> list[SequenceEvent]:
        """Compute; the requests that ended with it."""
        return self._apart() if self._running or self._is_much() else self._together()

    def status(self) -> EngineStatus:
        return EngineStatus(
            running=len(self._jobs),
            reading=len(self._jobs),
            waiting=0,
            threads=self.threads.threads,
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

    # -- one call of all threads

    def _together(self) -> list[SequenceEvent]:
        call = self._first
        if not call.texts:
            self._pack(call)
        code = call.compute(self.threads.before(call.tokens))
        if code == ABANDONED:  # others need the cores: with fewer threads, then
            self.threads.rest()
            return []
        self.threads.after(call.tokens, call.seconds)
        return self._collect(call, code)

    # -- several calls at the same time

    def _is_much(self) -> bool:
        """Enough for all threads, each by itself?"""
        apart = self._calls_now(self.threads.threads)
        return apart > 1 and not self._first.texts and self._waiting >= apart * ENOUGH

    def _calls_now(self, threads: int) -> int:
        return min(self._most, max(1, threads // self._threads_apart))

    def _apart(self) -> list[SequenceEvent]:
        """Start calls, or else wait for one to end."""
        if self._ended.empty() and self._start():
            return []
        call, ended = self._ended.get()
        code = ended.result()
        if code == ABANDONED:  # it was the call before that was to be, and had ended
            self._submit(call)
            return []
        self._running -= 1
        self._free.append(call)
        events = self._collect(call, code)
        if self._running or self._is_much():
            self._start()
        return events

    def _start(self) -> int:
        """Give what waits to contexts that are free: to how many?"""
        most, before = self._calls_now(self.threads.apart()), self._running
        for _ in range(len(self._free)):
            if self._running >= most or not self._queue:
                break
            call = self._free.popleft()
            self._pack(call)
            if not call.texts:  # what waits is too long for this one
                self._free.append(call)
                continue
            self._running += 1
            self._submit(call)
        return self._running - before

    def _submit(self, call: Call) -> None:
        future = self._pool.submit(call.compute, self._threads_apart)
        future.add_done_callback(functools.partial(self._end, call))

    def _end(self, call: Call, ended: Future[int]) -> None:
        self._ended.put((call, ended))
        self._wake()

    # -- into a call, and out of it

    def _pack(self, call: Call) -> None:
        """Texts until they are enough: one of each request in turn, so that one of thousands holds up
        nobody else. Which texts share a call decides how its numbers are rounded, so it must not
        depend on who computes it, or when: the same request alone gets the same vectors again."""
        too_long: list[Job] = []
        while self._queue and call.tokens < ENOUGH:
            job = self._queue[0]
            tokens = job.inputs[job.next]
            if call.takes(tokens):
                self._queue.popleft()
                call.add(job)
                self._waiting -= len(tokens)
                if job.next < len(job.inputs):
                    self._queue.append(job)
            elif call.texts:
                break
            else:
                too_long.append(self._queue.popleft())
        self._queue.extendleft(reversed(too_long))
        call.fill_a_tile()

    def _collect(self, call: Call, code: int) -> list[SequenceEvent]:
        texts = call.texts
        if not code:
            call.deliver()
            self._totals["tokens"] += sum(len(job.inputs[index]) for job, index in texts)
            self._totals["steps"] += 1
        self._seconds += call.seconds
        call.clear()
        jobs = [job for job in dict.fromkeys(job for job, _ in texts) if job.id in self._jobs]
        if code:
            error = EngineError(f"llama.cpp failed to compute (code {code}).")
            return [self._fail(job.id, error) for job in jobs]
        done = [job for job in jobs if not job.left]
        for job in done:
            del self._jobs[job.id]
        return [job.finish() for job in done]

    def _fail(self, id: int, error: LmnbError) -> Failed:
        job = self._jobs.pop(id)
        if job in self._queue:
            self._queue.remove(job)
            self._waiting -= sum(map(len, job.inputs[job.next :]))
        return failed(id, error)
