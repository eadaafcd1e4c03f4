"""Which waiting sequences may begin."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence as Several
from time import perf_counter

from lmnb.engine.cache import WORTHWHILE, KVCache
from lmnb.engine.host_cache import common_prefix
from lmnb.engine.sequence import Sequence


class Admission:
    """The queue before the slots: first come, first served, except that a prompt whose beginning
    somebody else is reading waits until it can take that over."""

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache
        self.waiting: deque[Sequence] = deque()
        self.prompt_tokens = 0
        self.cached_tokens = 0
        """Of the prompt tokens, those that needed no computing."""

    def admit(self, running: Several[Sequence]) -> list[Sequence]:
        """Those that begin now, each in a lane of its own, with what was cached of it."""
        if not self.waiting:
            return []
        for sequence in running:
            assert sequence.lane is not None
            self.cache.lanes[sequence.lane].tokens = sequence.tokens[: sequence.computed]
        admitted: list[Sequence] = []
        for sequence in list(self.waiting):
            active = [*running, *admitted]
            if len(active) == len(self.cache.lanes):
                break
            if self._prefix_is_coming(sequence, active):
                continue
            if active and not self._has_room(sequence, active):
                break
            self.waiting.remove(sequence)
            self._place(sequence)
            admitted.append(sequence)
        return admitted

    def _place(self, sequence: Sequence) -> None:
        reuse = sequence.scores.needed if sequence.scores and sequence.scoring else None
        placed = self.cache.place(sequence.tokens, reuse)
        assert placed is not None, "admitted without a free lane"
        lane, found = placed
        sequence.lane, sequence.computed = lane.id, found
        lane.tokens = sequence.tokens[:found]
        if not sequence.started:
            sequence.started = perf_counter()
            sequence.cached = found
            self.prompt_tokens += sequence.prompt_length
            self.cached_tokens += found

    def _prefix_is_coming(self, sequence: Sequence, active: Several[Sequence]) -> bool:
        """Is somebody computing, right now, a beginning that this sequence could share?"""
        if sequence.scoring:
            return False
        tokens = sequence.tokens
        coming = max((common_prefix(tokens, s.tokens) for s in active if s.prefilling), default=0)
        if coming < WORTHWHILE:
            return False
        ready = max(common_prefix(tokens, lane.tokens) for lane in self.cache.lanes)
        return coming - max(ready, self.cache.host.best(tokens)[0]) >= WORTHWHILE

    def _has_room(self, sequence: Sequence, active: Several[Sequence]) -> bool:
        """Would the prompt fit beside those that run? (Idle lanes make room.)"""
        context = self.cache.context
        if not context.unified:
            return True
        taken = sum(s.length - s.cached + 1 for s in active)
        return taken + sequence.remaining < context.cells
