"""Continuous batching: who computes what in this step."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from lmnb.engine.admission import Admission
from lmnb.engine.batch import Batch, PictureBatch
from lmnb.engine.cache import KVCache, Lane
from lmnb.engine.completion import Completion
from lmnb.engine.context import Context, Logits
from lmnb.engine.cpu import usable_processors
from lmnb.engine.events import EngineStatus, Failed, FinishReason, Scored, SequenceEvent
from lmnb.engine.gaze import Gaze
from lmnb.engine.plan import Plan, Share
from lmnb.engine.sequence import Sequence
from lmnb.engine.threads import ThreadGovernor
from lmnb.errors import EngineError, LmnbError

if TYPE_CHECKING:
    from lmnb.engine.projector import Projector


class Scheduler:
    """Sequences wait, are prefilled in chunks, decode together, finish. A step is one llama.cpp call:
    a picture's, or what the plan says."""

    def __init__(
        self,
        completion: Completion,
        context: Context,
        cache: KVCache,
        threads: ThreadGovernor,
        projector: Projector | None = None,
    ) -> None:
        self.completion = completion
        self.context = context
        self.cache = cache
        self.threads = threads
        self.admission = Admission(cache)
        self.running: list[Sequence] = []
        self._processors = usable_processors()
        self._plan = Plan(context, cache.places)
        self._gaze = Gaze(projector, context, cache.places)
        self._events: list[SequenceEvent] = []
        self._steps = 0
        self._inside = self._step_seconds = self._python_seconds = 0.0

    @property
    def waiting(self) -> int:
        """Sequences that have not begun."""
        return len(self.admission.waiting)

    @property
    def busy(self) -> bool:
        return bool(self.running or self.waiting)

    def add(self, sequence: Sequence) -> None:
        self.admission.waiting.append(sequence)

    def cancel(self, id: int) -> list[SequenceEvent]:
        """Stop a sequence; what it computed stays as a prefix. An unknown id has ended already."""
        for sequence in [*self.running, *self.admission.waiting]:
            if sequence.id == id:
                self._finish(sequence, "cancelled")
        return self._take_events()

    def step(self) -> list[SequenceEvent]:
        """Compute once; what happened, in order."""
        start, sampling = perf_counter(), self.completion.seconds
        self._inside = 0.0
        self._admit()
        self._compute(self._picture() or self._plan.fill(self.running))
        self._steps += 1
        elapsed = perf_counter() - start
        self._step_seconds += elapsed
        self._python_seconds += elapsed - self._inside - (self.completion.seconds - sampling)
        return self._take_events()

    def status(self) -> EngineStatus:
        return EngineStatus(
            running=len(self.running),
            reading=sum(sequence.prefilling for sequence in self.running),
            waiting=self.waiting,
            threads=self.context.threads,
            cells_used=self._cells(),
            cells_total=self.context.cells,
            host_cache_bytes=self.cache.host.bytes,
            host_cache_entries=len(self.cache.host),
            tokens_generated=self.completion.tokens,
            prompt_tokens=self.admission.prompt_tokens,
            cached_tokens=self.admission.cached_tokens,
            steps=self._steps,
            python_seconds=self._python_seconds,
            step_seconds=self._step_seconds,
        )

    def _cells(self) -> int:
        running = {s.lane: s.computed for s in self.running}
        return sum(running.get(lane.id, len(lane.tokens)) for lane in self.cache.lanes)

    # -- who is in the next call --------------------------------------------------------------

    def _admit(self) -> None:
        admitted = self.admission.admit(self.running)
        self._events += [s.progress() for s in admitted if s.followed]
        self.running += admitted
        self.running.sort(key=lambda s: s.lane or 0)

    def _picture(self) -> PictureBatch | None:
        sequence = self._gaze.turn(self.running)
        if sequence is None:
            return None
        start = perf_counter()
        try:
            batch, share = self._gaze.look(sequence)
        except LmnbError as error:
            self._fail(sequence, error)
            return None
        finally:
            self._inside += perf_counter() - start
        self._plan.shares.append(share)
        return batch

    # -- one call of llama.cpp ----------------------------------------------------------------

    def _compute(self, batch: Batch | PictureBatch) -> None:
        if not self._plan.shares:
            return
        code = self._decode(batch)
        shares = self._plan.take()
        if code == 1:
            self._make_room(shares)
        elif code == 2:
            self._rewind(shares)
        elif code:
            for sequence, _, _ in shares:
                self._fail(sequence, EngineError(f"llama.cpp failed to compute (code {code})."))
        else:
            self._advance(shares)

    def _decode(self, batch: Batch | PictureBatch) -> int:
        tokens = batch.size
        self.context.set_threads(self.threads.before(tokens))
        if self.context.threads < self._processors:
            for sequence, *_ in self._plan.shares:
                if sequence.guide is not None:
                    sequence.guide.begin()
        start = perf_counter()
        code = self.context.decode(batch)
        elapsed = perf_counter() - start
        self._inside += elapsed
        if code:
            self.threads.rest()
            return code
        self.threads.after(tokens, elapsed)
        self._plan.measured(tokens, elapsed)
        return code

    def _rewind(self, shares: list[Share]) -> None:
        """The step was abandoned half-way: it is done again, with the threads there are now."""
        for sequence, _, _ in shares:
            assert sequence.lane is not None
            if sequence.looking is not None:  # half a picture cannot be cut off
                sequence.computed -= sequence.looking[0]
            if not self.context.cut(sequence.lane, self._plan.position(sequence)):
                sequence.computed = 0

    def _advance(self, shares: list[Share]) -> None:
        asked = sum(rows for _, _, rows in shares)
        logits = self.context.logits(asked) if asked else None
        ready, seen = [], 0
        for sequence, count, rows in shares:
            own = None if logits is None else logits[seen : seen + rows]
            seen += rows
            if own is not None and sequence.scores is not None and sequence.scoring:
                sequence.scores.take(sequence.computed, own)
            sequence.computed += count
            if sequence.computed < sequence.length or sequence.followed:
                self._events.append(sequence.progress())
            if own is not None and sequence.computed == sequence.length:
                ready.append((sequence, own[-1]))
        for sequence, row in ready:
            if sequence.scores is not None and not sequence.completion_length:
                self._events.append(Scored(sequence.id, sequence.scores.result()))
            if sequence.request.max_tokens == 0:
                self._finish(sequence, "length")
            else:
                self._extend(sequence, row)

    def _extend(self, sequence: Sequence, row: Logits) -> None:
        try:
            delta, reason = self.completion.extend(sequence, row)
        except LmnbError as error:
            self._fail(sequence, error)
            return
        if delta is not None:
            self._events.append(delta)
        if reason is not None:
            self._finish(sequence, reason)

    # -- the end of a sequence, or of the room ------------------------------------------------

    def _make_room(self, shares: list[Share]) -> None:
        """The KV cache is full: idle lanes go first, then the youngest sequence waits."""
        if self.cache.shrink():
            return
        if len(self.running) > 1:
            youngest = max(self.running, key=lambda s: s.started)
            self._leave(youngest)
            self.admission.waiting.appendleft(youngest)
        else:
            sequence = shares[0][0]
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
            self.admission.waiting.remove(sequence)
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
