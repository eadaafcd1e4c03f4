"""Continuous batching: who computes what in this step."""

from __future__ import annotations

from collections import deque
from time import perf_counter

import msgspec
import numpy as np

from lmnb.engine.batch import Batch
from lmnb.engine.cache import WORTHWHILE, KVCache, Lane, common_prefix
from lmnb.engine.context import Context, Logits
from lmnb.engine.cpu import usable_processors
from lmnb.engine.events import (
    EngineStatus,
    Failed,
    FinishReason,
    Prefill,
    Scored,
    SequenceEvent,
)
from lmnb.engine.model import Model
from lmnb.engine.sampling import logprob
from lmnb.engine.sequence import Sequence
from lmnb.engine.threads import ThreadGovernor
from lmnb.errors import EngineError, LmnbError

Share = tuple[Sequence, int, int]
"""What one call computes for a sequence: so many tokens, with the logits of so many of them."""
CHUNK_SECONDS = 0.5
"""A prompt that is read while others answer stalls them for about so long at a time."""
SLIVER = 64
"""A step's last prompt is not begun for fewer tokens than this: small graphs read slowly."""


class Scheduler:
    """Sequences wait, are prefilled in chunks, decode together, finish.

    With a unified KV cache a step is one llama.cpp call. With separate streams llama.cpp would
    split a mixed batch into many small graphs, so decoding and each prompt get calls of their own.
    """

    def __init__(
        self, model: Model, context: Context, cache: KVCache, threads: ThreadGovernor
    ) -> None:
        self.model = model
        self.context = context
        self.cache = cache
        self.threads = threads
        self._processors = usable_processors()
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._batch = Batch(context.batch_size)
        self._scheduled: list[Share] = []
        self._events: list[SequenceEvent] = []
        self._prefill_rate = 500.0
        self._inside = 0.0
        self._totals = {"tokens": 0, "prompt": 0, "cached": 0, "steps": 0}
        self._step_seconds = self._python_seconds = 0.0

    @property
    def busy(self) -> bool:
        return bool(self.running or self.waiting)

    def add(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)

    def cancel(self, id: int) -> list[SequenceEvent]:
        """Stop a sequence; what it computed stays as a prefix. An unknown id has ended already."""
        for sequence in [*self.running, *self.waiting]:
            if sequence.id == id:
                self._finish(sequence, "cancelled")
        return self._take_events()

    def step(self) -> list[SequenceEvent]:
        """Compute once for everybody; what happened, in order."""
        start, self._inside = perf_counter(), 0.0
        self._admit()
        decoding = [s for s in self.running if not s.prefilling]
        prefilling = sorted((s for s in self.running if s.prefilling), key=lambda s: s.started)
        budget = whole = self._prefill_budget(len(decoding))
        for sequence in decoding:
            self._schedule(sequence, 1)
        if not self.context.unified:
            self._compute()
        for sequence in prefilling:
            if budget < whole and budget < min(sequence.remaining, SLIVER):
                break
            budget -= self._schedule(sequence, budget)
            if not self.context.unified:
                self._compute()
        self._compute()
        self._account(perf_counter() - start)
        return self._take_events()

    def status(self) -> EngineStatus:
        return EngineStatus(
            running=len(self.running),
            waiting=len(self.waiting),
            threads=self.context.threads,
            cells_used=self._cells(),
            cells_total=self.context.cells,
            host_cache_bytes=self.cache.host.bytes,
            host_cache_entries=len(self.cache.host),
            tokens_generated=self._totals["tokens"],
            prompt_tokens=self._totals["prompt"],
            cached_tokens=self._totals["cached"],
            steps=self._totals["steps"],
            python_seconds=self._python_seconds,
            step_seconds=self._step_seconds,
        )

    # -- admission ----------------------------------------------------------------------------

    def _admit(self) -> None:
        if not self.waiting:
            return
        for running in self.running:
            self._lane(running).tokens = running.tokens[: running.computed]
        for sequence in list(self.waiting):
            if len(self.running) == len(self.cache.lanes):
                return
            if self._prefix_is_coming(sequence):
                continue
            if self.running and not self._has_room(sequence):
                return
            self.waiting.remove(sequence)
            self._start(sequence)

    def _start(self, sequence: Sequence) -> None:
        reuse = sequence.scores.needed if sequence.scores and sequence.scoring else None
        placed = self.cache.place(sequence.tokens, reuse)
        assert placed is not None, "admitted without a free lane"
        lane, found = placed
        sequence.lane, sequence.computed = lane.id, found
        if not sequence.started:
            sequence.started = perf_counter()
            sequence.cached = found
            self._totals["prompt"] += sequence.prompt_length
            self._totals["cached"] += found
        lane.tokens = sequence.tokens[:found]
        self.running.append(sequence)
        self.running.sort(key=lambda s: s.lane or 0)

    def _prefix_is_coming(self, sequence: Sequence) -> bool:
        """Is somebody computing, right now, a beginning that this sequence could share?"""
        if sequence.scoring:
            return False
        tokens = sequence.tokens
        coming = max(
            (common_prefix(tokens, s.tokens) for s in self.running if s.prefilling), default=0
        )
        if coming < WORTHWHILE:
            return False
        ready = max(common_prefix(tokens, lane.tokens) for lane in self.cache.lanes)
        return coming - max(ready, self.cache.host.best(tokens)[0]) >= WORTHWHILE

    def _has_room(self, sequence: Sequence) -> bool:
        """Would the prompt fit beside those that run? (Idle lanes make room.)"""
        if not self.context.unified:
            return True
        taken = sum(s.length - s.cached + 1 for s in self.running)
        return taken + sequence.remaining < self.context.cells

    def _cells(self) -> int:
        running = {s.lane: s.computed for s in self.running}
        return sum(running.get(lane.id, len(lane.tokens)) for lane in self.cache.lanes)

    # -- one call of llama.cpp ----------------------------------------------------------------

    def _prefill_budget(self, decoding: int) -> int:
        """Prompt tokens this step may compute."""
        micro = self.context.micro_batch_size
        if not decoding:
            return micro
        chunk = min(micro, max(64, int(self._prefill_rate * CHUNK_SECONDS)))
        return max(1, chunk - decoding) if self.context.unified else chunk

    def _schedule(self, sequence: Sequence, limit: int) -> int:
        count = min(sequence.remaining, limit, self._batch.room)
        if count <= 0:
            return 0
        at, lane = sequence.computed, sequence.lane
        assert lane is not None
        rows = int(count == sequence.remaining)
        if sequence.scoring:
            rows = count = min(count, self._scoring_rows())
            if not count:
                return 0
        if count == sequence.remaining == 1:
            self._batch.add_one(int(sequence.tokens[at]), at, lane)
        else:
            self._batch.add(sequence.tokens[at : at + count], at, lane, logits=rows)
        self._scheduled.append((sequence, count, rows))
        return count

    def _scoring_rows(self) -> int:
        """Logits of prompt tokens that this call can still give."""
        taken = sum(rows for sequence, _, rows in self._scheduled if sequence.scoring)
        return self.context.scoring_rows - taken

    def _compute(self) -> None:
        if not self._scheduled:
            return
        code = self._decode()
        scheduled, self._scheduled = self._scheduled, []
        self._batch.clear()
        if code == 1:
            self._make_room(scheduled)
        elif code == 2:
            self._rewind(scheduled)
        elif code:
            for sequence, _, _ in scheduled:
                self._fail(sequence, EngineError(f"llama.cpp failed to compute (code {code})."))
        else:
            self._advance(scheduled)

    def _decode(self) -> int:
        tokens = self._batch.size
        self.context.set_threads(self.threads.before(tokens))
        if self.context.threads < self._processors:
            for sequence, *_ in self._scheduled:
                if sequence.guide is not None:
                    sequence.guide.begin()
        start = perf_counter()
        code = self.context.decode(self._batch)
        elapsed = perf_counter() - start
        self._inside += elapsed
        if code:
            self.threads.rest()
            return code
        self.threads.after(tokens, elapsed)
        if tokens >= 64:
            self._prefill_rate += 0.3 * (tokens / elapsed - self._prefill_rate)
        return code

    def _rewind(self, scheduled: list[Share]) -> None:
        """The step was abandoned half-way: it is done again, with the threads there are now."""
        for sequence, _, _ in scheduled:
            assert sequence.lane is not None
            if not self.context.cut(sequence.lane, sequence.computed):
                sequence.computed = 0

    def _advance(self, scheduled: list[Share]) -> None:
        asked = sum(rows for _, _, rows in scheduled)
        logits = self.context.logits(asked) if asked else None
        ready, seen = [], 0
        for sequence, count, rows in scheduled:
            own = None if logits is None else logits[seen : seen + rows]
            seen += rows
            if own is not None and sequence.scores is not None and sequence.scoring:
                sequence.scores.take(sequence.computed, own)
            sequence.computed += count
            if sequence.computed < sequence.length:
                self._events.append(
                    Prefill(sequence.id, sequence.computed, sequence.length, sequence.cached)
                )
            elif own is not None:
                ready.append((sequence, own[-1]))
        for sequence, row in ready:
            if sequence.scores is not None and not sequence.completion_length:
                self._events.append(Scored(sequence.id, sequence.scores.result()))
            if sequence.request.max_tokens == 0:
                self._finish(sequence, "length")
            else:
                self._sample(sequence, row)

    def _sample(self, sequence: Sequence, row: Logits) -> None:
        request = sequence.request
        vocab = self.model.vocab
        if not sequence.may_end:
            row[vocab.end_tokens] = -np.inf
        start = perf_counter()
        try:
            token = self._choose(sequence, row)
        except LmnbError as error:
            self._fail(sequence, error)
            return
        self._inside += perf_counter() - start
        ended = vocab.is_end(token)
        chance = None
        if request.logprobs is not None and (request.score_prompt or not ended):
            chance = logprob(row, token, request.logprobs, vocab)
        sequence.append(token)
        self._totals["tokens"] += 1
        if chance is not None and ended:
            # Who scores prompts counts tokens: each has its score, the end too, which has no text.
            sequence.text.push(b"", msgspec.structs.replace(chance, bytes=b""))
        if not ended:
            shown = token in sequence.visible
            data = vocab.render(token, special=True) if shown else vocab.piece(token)
            delta = sequence.delta(data, chance)
            if delta is not None:
                self._events.append(delta)
        reason = self._end(sequence, ended)
        if reason is not None:
            self._finish(sequence, reason)

    def _choose(self, sequence: Sequence, row: Logits) -> int:
        """The next token, which its grammar, if it has one, allows and has taken."""
        guide = sequence.guide
        if guide is None:
            return sequence.sampler.sample(row)
        while True:
            token = sequence.sampler.sample(row, guide.allowed())
            if self.model.vocab.is_end(token) or guide.accept(token):
                return token
            row[token] = -np.inf

    def _end(self, sequence: Sequence, ended: bool) -> FinishReason | None:
        limit = sequence.request.max_tokens
        if sequence.text.stopped is not None:
            return "stop_string"
        if ended or (sequence.guide is not None and sequence.guide.state == "complete"):
            return "stop"
        if limit is not None and sequence.completion_length >= limit:
            return "length"
        if sequence.length >= self.context.length:
            return "context"
        return None

    # -- the end of a sequence, or of the room ------------------------------------------------

    def _make_room(self, scheduled: list[Share]) -> None:
        """The KV cache is full: idle lanes go first, then the youngest sequence waits."""
        if self.cache.shrink():
            return
        if len(self.running) > 1:
            youngest = max(self.running, key=lambda s: s.started)
            self._leave(youngest)
            self.waiting.appendleft(youngest)
        else:
            sequence = scheduled[0][0]
            if sequence.completion_length:
                self._finish(sequence, "context")
            else:
                self._fail(sequence, EngineError("The KV cache has no room for this prompt."))

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        self._events.append(sequence.finish(reason))
        self._remove(sequence)

    def _fail(self, sequence: Sequence, error: LmnbError) -> None:
        self._events.append(Failed(sequence.id, type(error).__name__, error.message, error.param))
        lane = sequence.lane
        self._remove(sequence)
        if lane is not None:
            self.cache.forget(self.cache.lanes[lane])

    def _remove(self, sequence: Sequence) -> None:
        if sequence.lane is None:
            self.waiting.remove(sequence)
        else:
            self._leave(sequence)
        sequence.sampler.close()

    def _leave(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self.cache.release(self._lane(sequence), sequence.tokens[: sequence.computed])
        sequence.lane, sequence.computed = None, 0

    def _lane(self, sequence: Sequence) -> Lane:
        assert sequence.lane is not None
        return self.cache.lanes[sequence.lane]

    def _take_events(self) -> list[SequenceEvent]:
        events, self._events = self._events, []
        return events

    def _account(self, elapsed: float) -> None:
        self._totals["steps"] += 1
        self._step_seconds += elapsed
        self._python_seconds += elapsed - self._inside
