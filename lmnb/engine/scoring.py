"""How likely the model finds a prompt's own tokens."""

from __future__ import annotations

import math

from lmnb.engine.context import Logits
from lmnb.engine.events import TokenLogprob
from lmnb.engine.sampling import logprob
from lmnb.engine.vocab import Tokens, Vocab


class PromptScores:
    """Collects log-probabilities while the prompt is read, some rows of logits at a time.

    The row at position n tells of token n + 1. Rows may come again (a prompt that is read anew, after
    it made room for others), and must not be left out: what is in the KV cache has no rows.
    """

    def __init__(self, tokens: Tokens, top: int, vocab: Vocab) -> None:
        self._tokens = tokens
        self._top = top
        self._vocab = vocab
        first = int(tokens[0])
        self._scores = [TokenLogprob(vocab.render(first, special=True), math.nan, first)]

    @property
    def needed(self) -> int:
        """The position of the next row that is wanted."""
        return len(self._scores) - 1

    @property
    def complete(self) -> bool:
        return len(self._scores) == len(self._tokens)

    def take(self, position: int, rows: Logits) -> None:
        """Rows of consecutive positions from `position` on."""
        for row in rows[self.needed - position :]:
            if self.complete:
                return
            token = int(self._tokens[len(self._scores)])
            self._scores.append(logprob(row, token, self._top, self._vocab))

    def result(self) -> tuple[TokenLogprob, ...]:
        return tuple(self._scores)
