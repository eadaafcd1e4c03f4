"""Which tokens are in the KV cache, and which of them a new prompt can take over.

A *lane* is one of llama.cpp's sequence ids. A finished sequence leaves its tokens in its lane
until the lane is needed; then they move to host memory, from where they come back without a
prefill. Nothing is ever assumed to be in the cache that llama.cpp was not asked about: where a
memory cannot be cut (a sliding window that moved on, a recurrent state), the prompt is computed
again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lmnb.engine.context import Context
from lmnb.engine.host_cache import HostCache, State, common_prefix
from lmnb.engine.places import Places
from lmnb.engine.vocab import Tokens

WORTHWHILE = 16
"""Shorter prefixes are not worth a copy, a save or a wait."""
IDLE_SHARE = 0.5
"""The part of a shared KV cache that idle lanes may fill."""
HOST_SHARE = 1 / 3
"""Host memory for evicted lanes, unless a limit is set, as a part of the KV cache's own."""

NEARLY = 0.8
"""From this part of a tile on, a whole one costs no more."""


@dataclass(slots=True)
class Lane:
    id: int
    tokens: Tokens = field(default_factory=lambda: np.empty(0, np.int32))
    """What is resident: a view of the running sequence's tokens, or a copy once it is idle."""
    busy: bool = False
    used: int = 0


class KVCache:
    """The lanes of one context."""

    def __init__(
        self, context: Context, lanes: int, host_limit: int | None, places: Places | None = None
    ) -> None:
        """`host_limit`: bytes of host memory for evicted lanes; None: a share of the KV cache."""
        self.context = context
        self.places = places or Places()
        self.lanes = [Lane(i) for i in range(lanes)]
        self.host = HostCache(host_limit or 0)
        self._host_limit_open = host_limit is None
        self._clock = 0

    @property
    def cells(self) -> int:
        """Cells in use; shared ones are counted for each lane that has them."""
        return sum(len(lane.tokens) for lane in self.lanes)

    def idle(self) -> list[Lane]:
        """Lanes nobody computes in, least recently used first."""
        return sorted((x for x in self.lanes if not x.busy), key=lambda x: x.used)

    def place(self, prompt: Tokens, reuse: int | None = None) -> tuple[Lane, int] | None:
        """A lane for `prompt` and how many of its tokens are in it already; None: all are busy.

        At least one token is always left to compute, since its logits are needed; where `reuse` is
        given, all but so many.
        """
        idle = self.idle()
        if not idle:
            return None
        usable = len(prompt) - 1 if reuse is None else min(reuse, len(prompt) - 1)
        matches = {
            lane.id: self.places.whole(prompt, common_prefix(prompt[:usable], lane.tokens))
            for lane in self.lanes
        }
        source = max(self.lanes, key=lambda x: (matches[x.id], not x.busy, x.used))
        shared = matches[source.id]
        kept, entry = self.host.best(prompt[:usable])
        kept = self.places.whole(prompt, kept)
        if entry is not None and kept >= shared + WORTHWHILE:
            state = self.host.take(entry)  # first: what is evicted must not push it out
            lane = self._victim(idle, prompt)
            self._evict(lane)
            found = self._restore(lane, entry, state, kept)
            if kept < len(entry) - WORTHWHILE:  # the rest is another conversation's
                self.host.put(entry, state)
        elif not source.busy and (
            shared >= len(source.tokens) - WORTHWHILE or source is self._victim(idle, prompt)
        ):
            lane = source  # it only goes on from here: nothing of value is lost
            if shared < len(lane.tokens) - WORTHWHILE:
                self._save(lane)
            found = self._cut(lane, shared)
        elif shared >= WORTHWHILE:
            lane = self._victim(idle, prompt, but=source)
            if lane is source:
                self._save(lane)
            else:
                self._evict(lane)
                if self.context.copy(source.id, lane.id):
                    lane.tokens = source.tokens.copy()
                else:
                    shared = 0
            found = self._cut(lane, shared)
        else:
            lane = self._victim(idle, prompt)
            self._evict(lane)
            found = 0
        found = self._leave_a_tile(lane, found, len(prompt))
        lane.busy = True
        self.touch(lane)
        return lane, found

    def _leave_a_tile(self, lane: Lane, found: int, length: int) -> int:
        """Nearly a tile of tokens is read more slowly than a whole one: then a few are computed
        again, unless others run, with whose tokens the batch is large enough."""
        tile = self.context.tile
        alone = not any(other.busy for other in self.lanes)
        if alone and found >= tile > length - found > NEARLY * tile:
            return self._cut(lane, self.places.whole(lane.tokens, length - tile))
        return found

    def release(self, lane: Lane, tokens: Tokens) -> None:
        """The sequence in `lane` is done; `tokens` of it are computed and stay."""
        lane.tokens = tokens.copy()
        lane.busy = False
        self.touch(lane)
        if self.context.unified:  # idle cells in a shared cache slow everybody's attention
            while (
                self._idle_cells(but=lane) and self._idle_cells() > IDLE_SHARE * self.context.cells
            ):
                self.shrink()  # the lane itself is the last to go, and stays

    def _idle_cells(self, but: Lane | None = None) -> int:
        return sum(len(lane.tokens) for lane in self.idle() if lane is not but)

    def touch(self, lane: Lane) -> None:
        self._clock += 1
        lane.used = self._clock

    def shrink(self) -> bool:
        """Move the least recently used idle lane out of the KV cache. False: there is none."""
        for lane in self.idle():
            if len(lane.tokens):
                self._evict(lane)
                return True
        return False

    def forget(self, lane: Lane) -> None:
        """Drop a lane without saving it."""
        self.context.drop(lane.id)
        lane.tokens = np.empty(0, np.int32)
        lane.busy = False

    def clear(self) -> None:
        for lane in self.lanes:
            self.forget(lane)

    def _victim(self, idle: list[Lane], prompt: Tokens, but: Lane | None = None) -> Lane:
        """The idle lane that costs least to lose: empty, else least recently used."""
        candidates = [x for x in idle if x is not but] or idle
        return min(candidates, key=lambda x: (len(x.tokens) > 0, x.used))

    def _evict(self, lane: Lane) -> None:
        self._save(lane)
        self.forget(lane)

    def _save(self, lane: Lane) -> None:
        wanted = self.host.limit or self._host_limit_open
        if not wanted or len(lane.tokens) < WORTHWHILE or self._covered(lane):
            return
        state = self.context.save(lane.id)
        if state is None:
            return
        if self._host_limit_open:
            whole = self.context.cells * len(state) // len(lane.tokens)
            self.host.limit, self._host_limit_open = int(HOST_SHARE * whole), False
        self.host.put(lane.tokens, state)

    def _covered(self, lane: Lane) -> bool:
        others = (x for x in self.lanes if x is not lane)
        return self.host.covers(lane.tokens) or any(
            common_prefix(lane.tokens, x.tokens) == len(lane.tokens) for x in others
        )

    def _restore(self, lane: Lane, entry: Tokens, state: State, kept: int) -> int:
        if not self.context.restore(lane.id, state):
            return 0
        lane.tokens = entry
        return self._cut(lane, kept)

    def _cut(self, lane: Lane, keep: int) -> int:
        if keep == len(lane.tokens):
            return keep
        keep = keep if self.context.cut(lane.id, self.places.position(lane.tokens, keep)) else 0
        lane.tokens = lane.tokens[:keep]
        return keep
