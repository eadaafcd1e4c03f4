"""Who computes what in the next call of llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence as Several

from lmnb.engine.batch import Batch
from lmnb.engine.context import Context
from lmnb.engine.places import Places
from lmnb.engine.sequence import Sequence

__all__ = ["Plan", "Share"]

Share = tuple[Sequence, int, int]
"""What one call computes for a sequence: so many tokens, with the logits of so many of them."""
CHUNK_SECONDS = 0.5
"""A prompt that is read while others answer stalls them for about so long at a time."""
SLIVER = 64
"""Fewer prompt tokens than this in a call are read slowly: a chunk has more, a call's last prompt is not
begun for less, and the rate is not measured by less."""
FIRST_RATE = 500.0
"""Prompt tokens a second, until it is known."""


class Plan:
    """Everybody's next token, and prompts in chunks between.

    With a unified KV cache a call computes everybody: who decodes, and a chunk of prompts. With
    separate streams llama.cpp would split such a batch into many small graphs, so a call decodes,
    and the calls after it read a chunk of prompts, one each, before the next one decodes.
    """

    def __init__(self, context: Context, places: Places) -> None:
        self.shares: list[Share] = []
        self._context = context
        self._places = places
        self._batch = Batch(context.batch_size)
        self._rate = FIRST_RATE
        self._chunk = self._left = 0
        """Prompt tokens between two decodes, and how many of them are still to be read."""
        self._shortest_first = False
        """Every other chunk goes to who needs least, the others to who came first: a question need
        not wait for the end of a book, nor the book for the last question."""

    def fill(self, running: Several[Sequence]) -> Batch:
        """The tokens of the next call, of those who have slots; none where nobody can go on."""
        if self._context.unified:
            self._add_decodes(running)
            while self._add_prompt(running):
                pass
        elif not self._add_prompt(running):
            self._add_decodes(running)
            if not self.shares:
                self._add_prompt(running)
        return self._batch

    def take(self) -> list[Share]:
        """Who was in the call that is over. The next one begins empty."""
        shares, self.shares = self.shares, []
        self._batch.clear()
        return shares

    def measured(self, tokens: int, seconds: float) -> None:
        """What a call took: how large a chunk may be."""
        if tokens >= SLIVER:
            self._rate += 0.3 * (tokens / seconds - self._rate)

    def position(self, sequence: Sequence) -> int:
        """Of the next token to be computed."""
        if sequence.computed >= sequence.prompt_length:
            return sequence.computed - sequence.saved
        return self._places.position(sequence.tokens, sequence.computed)

    def _add_decodes(self, running: Several[Sequence]) -> None:
        """Everybody's next token. Then prompts may be read again, by a chunk."""
        decoding = [s for s in running if not s.prefilling]
        for sequence in decoding:
            self._add(sequence, 1)
        self._chunk = self._left = self._budget(len(decoding))
        self._shortest_first = not self._shortest_first

    def _add_prompt(self, running: Several[Sequence]) -> int:
        """The next prompt's next tokens, as far as the chunk allows; how many."""
        planned = {sequence.id for sequence, _, _ in self.shares}
        prompts = (s for s in running if s.prefilling and not s.looking and s.id not in planned)
        sequence = min(prompts, key=self._turn, default=None)
        if sequence is None:
            return 0
        if self._left < self._chunk and self._left < min(sequence.remaining, SLIVER):
            return 0
        count = self._add(sequence, self._left)
        self._left -= count
        return count

    def _turn(self, sequence: Sequence) -> tuple[int, float]:
        return sequence.remaining if self._shortest_first else 0, sequence.started

    def _budget(self, decoding: int) -> int:
        """Prompt tokens that may be read before the next decode."""
        micro = self._context.micro_batch_size
        if not decoding:
            return micro
        chunk = min(micro, max(SLIVER, int(self._rate * CHUNK_SECONDS)))
        return max(1, chunk - decoding) if self._context.unified else chunk

    def _add(self, sequence: Sequence, limit: int) -> int:
        count = min(sequence.text_ahead, limit, self._batch.room)
        if count <= 0:
            return 0
        at, lane = sequence.computed, sequence.lane
        assert lane is not None
        position = self.position(sequence)
        rows = int(count == sequence.remaining)
        if sequence.scoring:
            rows = count = min(count, self._scoring_rows())
            if not count:
                return 0
        if count == sequence.remaining == 1:
            self._batch.add_one(int(sequence.tokens[at]), position, lane)
        else:
            self._batch.add(sequence.tokens[at : at + count], position, lane, logits=rows)
        self.shares.append((sequence, count, rows))
        return count

    def _scoring_rows(self) -> int:
        """Logits of prompt tokens that this call can still give."""
        taken = sum(rows for sequence, _, rows in self.shares if sequence.scoring)
        return self._context.scoring_rows - taken
