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
from lmnb.engine.events import (
    EngineStatus,
    Failed,
    FinishReason,
    Scored,
    SequenceEvent,
)
from lmnb.engine.sequence import Sequence
from lmnb.engine.threads import ThreadGovernor
from lmnb.errors import EngineError, LmnbError

if TYPE_CHECKING:
    from lmnb.engine.projector import Projector

Share = tuple[Sequence, int, int]
"""What one call computes for a sequence: so many tokens, with the logits of so many of them."""
CHUNK_SECONDS = 0.5
"""A prompt that is read while others answer stalls them for about so long at a time."""
SLIVER = 64
"""A step's last prompt is not begun for fewer tokens than this: small graphs read slowly."""


class Scheduler:
    """Sequences wait, are prefilled in chunks, decode together, finish.

    A step is one llama.cpp call. With a unified KV cache it computes everybody: who decodes, and
    a chunk of prompts. With separate streams llama.cpp would split such a batch into many small
    graphs, so a step decodes, and the steps after it read a chunk of prompts, one each, before the
    next one decodes.
    """

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
        self.projector = projector
        self.admission = Admission(cache)
        self.running: list[Sequence] = []
        self._processors = usable_processors()
        self._batch = Batch(context.batch_size)
        self._scheduled: list[Share] = []
        self._events: list[SequenceEvent] = []
        self._prefill_rate = 500.0
        self._looked = False
        """The step before this one read (a part of) a picture."""
        self._chunk = self._left = 0
        """Prompt tokens between two decodes, and how many of them are still to be read."""
        self._shortest_first = False
        """Every other chunk goes to who needs least, the others to who came first: a question need
        not wait for the end of a book, nor the book for the last question."""
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
        self._compute(self._picture() or self._tokens())
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
        """The next picture, or a part of it. After one, who decodes comes first."""
        looking = [s for s in self.running if s.looking]
        decoding = any(not s.prefilling for s in self.running)
        if self.projector is None or not looking or (self._looked and decoding):
            self._looked = False
            return None
        self._looked = True
        sequence = min(looking, key=lambda s: s.started)
        assert sequence.looking is not None and sequence.lane is not None
        done, glance = sequence.looking
        start = perf_counter()
        try:
            embeddings = self.projector.encode(glance)
        except LmnbError as error:
            self._fail(sequence, error)
            return None
        finally:
            self._inside += perf_counter() - start
        count = glance.length - done
        if not glance.non_causal:
            count = min(count, self.context.micro_batch_size)
        first = self.cache.places.position(sequence.tokens, sequence.computed - done)
        last = count == sequence.remaining
        self._scheduled.append((sequence, count, int(last)))
        return PictureBatch(
            embeddings[done : done + count],
            self.projector.positions(glance, first)[:, done : done + count],
            sequence.lane,
            logits=last,
            non_causal=glance.non_causal,
        )

    def _tokens(self) -> Batch:
        if self.context.unified:
            self._schedule_decodes()
            self._schedule_prompts()
        elif not self._schedule_prompt():
            self._schedule_decodes()
            if not self._scheduled:
                self._schedule_prompt()
        return self._batch

    def _schedule_decodes(self) -> None:
        """Everybody's next token. Then prompts may be read again, by a chunk."""
        decoding = [s for s in self.running if not s.prefilling]
        for sequence in decoding:
            self._schedule(sequence, 1)
        self._chunk = self._left = self._prefill_budget(len(decoding))
        self._shortest_first = not self._shortest_first

    def _schedule_prompts(self) -> None:
        while self._schedule_prompt():
            pass

    def _schedule_prompt(self) -> int:
        """The next prompt's next tokens, as far as the chunk allows; how many."""
        scheduled = {sequence.id for sequence, _, _ in self._scheduled}
        prompts = (
            s for s in self.running if s.prefilling and not s.looking and s.id not in scheduled
        )
        sequence = min(prompts, key=self._turn, default=None)
        if sequence is None:
            return 0
        if self._left < self._chunk and self._left < min(sequence.remaining, SLIVER):
            return 0
        count = self._schedule(sequence, self._left)
        self._left -= count
        return count

    def _turn(self, sequence: Sequence) -> tuple[int, float]:
        return sequence.remaining if self._shortest_first else 0, sequence.started

    def _prefill_budget(self, decoding: int) -> int:
        """Prompt tokens that may be read before the next decode."""
        micro = self.context.micro_batch_size
        if not decoding:
            return micro
        chunk = min(micro, max(64, int(self._prefill_rate * CHUNK_SECONDS)))
        return max(1, chunk - decoding) if self.context.unified else chunk

    def _schedule(self, sequence: Sequence, limit: int) -> int:
        count = min(sequence.text_ahead, limit, self._batch.room)
        if count <= 0:
            return 0
        at, lane = sequence.computed, sequence.lane
        assert lane is not None
        position = self._position(sequence)
        rows = int(count == sequence.remaining)
        if sequence.scoring:
            rows = count = min(count, self._scoring_rows())
            if not count:
                return 0
        if count == sequence.remaining == 1:
            self._batch.add_one(int(sequence.tokens[at]), position, lane)
        else:
            self._batch.add(sequence.tokens[at : at + count], position, lane, logits=rows)
        self._scheduled.append((sequence, count, rows))
        return count

    def _position(self, sequence: Sequence) -> int:
        """Of the next token to be computed."""
        if sequence.computed >= sequence.prompt_length:
            return sequence.computed - sequence.saved
        return self.cache.places.position(sequence.tokens, sequence.computed)

    def _scoring_rows(self) -> int:
        """Logits of prompt tokens that this call can still give."""
        taken = sum(rows for sequence, _, rows in self._scheduled if sequence.scoring)
        return self.context.scoring_rows - taken

    # -- one call of llama.cpp ----------------------------------------------------------------

    def _compute(self, batch: Batch | PictureBatch) -> None:
        if not self._scheduled:
            return
        code = self._decode(batch)
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

    def _decode(self, batch: Batch | PictureBatch) -> int:
        tokens = batch.size
        self.context.set_threads(self.threads.before(tokens))
        if self.context.threads < self._processors:
            for sequence, *_ in self._scheduled:
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
        if tokens >= 64:
            self._prefill_rate += 0.3 * (tokens / elapsed - self._prefill_rate)
        return code

    def _rewind(self, scheduled: list[Share]) -> None:
        """The step was abandoned half-way: it is done again, with the threads there are now."""
        for sequence, _, _ in scheduled:
            assert sequence.lane is not None
            if sequence.looking is not None:  # half a picture cannot be cut off
                sequence.computed -= sequence.looking[0]
            if not self.context.cut(sequence.lane, self._position(sequence)):
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

    def _make_room(self, scheduled: list[Share]) -> None:
        """The KV cache is full: idle lanes go first, then the youngest sequence waits."""
        if self.cache.shrink():
            return
        if len(self.running) > 1:
            youngest = max(self.running, key=lambda s: s.started)
            self._leave(youngest)
            self.admission.waiting.appendleft(youngest)
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
