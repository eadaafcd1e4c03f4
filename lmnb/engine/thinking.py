"""How long one sequence may think: counted in tokens, and ended for it when they are used."""

from __future__ import annotations

import codecs
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lmnb.engine.options import ThinkingLimit
from lmnb.engine.vocab import Vocab


class Thinking:
    """Follows a sequence's tokens.

    `before`: what comes may be the mark that thinking begins with. `inside`: tokens are counted.
    `closing`: they are used, and the mark that ends thinking is written token by token. `over`: the
    model ended it, or it was ended, or there is none.
    """

    def __init__(self, limit: ThinkingLimit, vocab: Vocab) -> None:
        self._vocab = vocab
        self._start, self._end = limit.start.encode(), limit.end.encode()
        self._closing = vocab.tokenize_on(limit.closing)
        self._left = limit.tokens
        self._seen = b""
        self.state: Literal["before", "inside", "closing", "over"]
        self.state = "before" if self._start else "inside"
        self._count()

    @property
    def due(self) -> NDArray[np.intp] | None:
        """The token that has to come next, where the thinking is being ended."""
        return np.array(self._closing[:1], np.intp) if self.state == "closing" else None

    def saw(self, token: int) -> None:
        """A token was chosen."""
        if self.state == "over":
            return
        if self.state == "closing":
            as_wished = self._closing.pop(0) == token  # a grammar may know better
            self.state = "closing" if as_wished and self._closing else "over"
            return
        self._seen += self._vocab.render(token, special=True)
        if self.state == "before":
            self._look_for_start()
            return
        self._left -= 1
        if self._end in self._seen:
            self.state = "over"
        else:
            self._seen = self._seen[-len(self._end) :]
            self._count()

    def _look_for_start(self) -> None:
        front = self._seen.lstrip()
        if front.startswith(self._start):
            self._seen, self.state = front[len(self._start) :], "inside"
            self._count()
        elif not self._start.startswith(front):
            self.state = "over"

    def _count(self) -> None:
        """No character is cut in two."""
        if self.state == "inside" and self._left <= 0 and _whole(self._seen):
            self.state = "closing" if self._closing else "over"


def _whole(data: bytes) -> bool:
    """Whether the last character is complete."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return not decoder.getstate()[0]
