"""Bytes to text: characters whole, stop strings never shown, nothing held longer than it must."""

from __future__ import annotations

import codecs
from collections import deque

from lmnb.engine.events import TokenLogprob


class Detokenizer:
    """The text of one sequence as it grows.

    `push` takes a token's bytes and returns the text that may be shown now. A character split
    over tokens waits for its last byte; text that could be the beginning of a stop string waits
    until it is or is not. `stopped` names the stop string that was met; `keep`: it is shown.
    """

    def __init__(self, stop: tuple[str, ...] = (), *, keep: bool = False) -> None:
        self.stop = tuple(s for s in stop if s)
        self._keep = keep
        self.stopped: str | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._shown = 0
        self._logprobs: deque[tuple[int, TokenLogprob]] = deque()
        self._first = {s[0] for s in self.stop}
        self._longest = max(map(len, self.stop), default=0)

    def push(self, data: bytes, logprob: TokenLogprob | None = None, *, stops: bool = True) -> str:
        """`stops`: whether stop strings count yet."""
        text = self._decoder.decode(data)
        if logprob is not None:
            start = self._shown + len(self._held)
            self._logprobs.append((start, logprob))
        if not self.stop or not (stops or self._held):
            self._shown += len(text)
            return text
        return self._release(text)

    def flush(self) -> str:
        """The end: what was held back. Half a character is dropped."""
        text, self._held = self._held, ""
        self._shown += len(text)
        return "" if self.stopped else text

    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """Log-probabilities of tokens whose text has begun to show, in order, once each."""
        if not self._logprobs:
            return ()
        out = []
        limit = self._shown if self._held or self.stopped else self._shown + 1
        while self._logprobs and self._logprobs[0][0] < limit:
            out.append(self._logprobs.popleft()[1])
        return tuple(out)

    def _release(self, text: str) -> str:
        self._held += text
        found = [(i, s) for s in self.stop if (i := self._held.find(s)) >= 0]
        if found:
            at, self.stopped = min(found, key=lambda hit: (hit[0], -len(hit[1])))
            shown, self._held = self._held[: at + self._keep * len(self.stopped)], ""
        else:
            at = len(self._held) - self._partial()
            shown, self._held = self._held[:at], self._held[at:]
        self._shown += len(shown)
        return shown

    def _partial(self) -> int:
        """Length of the longest end of the held text that begins some stop string."""
        held = self._held
        for start in range(max(0, len(held) - self._longest + 1), len(held)):
            if held[start] in self._first and any(s.startswith(held[start:]) for s in self.stop):
                return len(held) - start
        return 0
