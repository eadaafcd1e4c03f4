"""One request while it is computed: its tokens, limits, text and clock."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from lmnb.engine.constraint import Guide
from lmnb.engine.detokenizer import Detokenizer
from lmnb.engine.events import Delta, Finished, FinishReason, Prefill, Timings, TokenLogprob
from lmnb.engine.glance import Glance
from lmnb.engine.options import EngineRequest
from lmnb.engine.sampling import Sampler
from lmnb.engine.scoring import PromptScores
from lmnb.engine.thinking import Thinking
from lmnb.engine.vocab import Tokens

Glances = tuple[tuple[int, Glance], ...]
"""Pictures, each with the number of its first token, in order."""


class Sequence:
    """Tokens 0..computed are in the KV cache, at positions of the same number unless there are
    pictures (`places.py`).

    A sequence is prefilled until one token is left to compute (`remaining == 1` with a sampled
    token pending), then decoded one token a step. A preempted sequence keeps its tokens and
    prefills them again.
    """

    def __init__(
        self,
        id: int,
        tokens: Tokens,
        request: EngineRequest,
        sampler: Sampler,
        visible: frozenset[int] = frozenset(),
        glances: Glances = (),
    ) -> None:
        self.id = id
        self.request = request
        self.sampler = sampler
        self.visible = visible
        self.guide: Guide | None = None
        self.glances = glances
        self.saved = sum(glance.length - glance.positions for _, glance in glances)
        """Positions that the pictures in the prompt do not take up."""
        self.scores: PromptScores | None = None
        self.thinking: Thinking | None = None
        allowed = request.rules.allowed
        self.allowed = np.unique(np.array(allowed, np.intp)) if allowed else None
        """The only tokens that may come. None: all."""
        self.prompt_length = len(tokens)
        self.length = len(tokens)
        self.computed = 0
        self.cached = 0
        self.lane: int | None = None
        self.text = Detokenizer(request.stop, keep=request.rules.keep_stop)
        self.submitted = perf_counter()
        self.started = 0.0
        self.first_token = 0.0
        self._tokens = np.empty(max(256, 2 * len(tokens)), np.int32)
        self._tokens[: len(tokens)] = tokens

    @property
    def tokens(self) -> Tokens:
        """Prompt and completion so far."""
        return self._tokens[: self.length]

    @property
    def remaining(self) -> int:
        """Tokens still to be computed before the next one can be sampled."""
        return self.length - self.computed

    @property
    def looking(self) -> tuple[int, Glance] | None:
        """The picture of which tokens are to be computed next, and how many of it are already."""
        for start, glance in self.glances:
            if start <= self.computed < start + glance.length:
                return self.computed - start, glance
        return None

    @property
    def text_ahead(self) -> int:
        """Tokens still to be computed before the next picture, or all."""
        starts = (start for start, _ in self.glances if start >= self.computed)
        return min(starts, default=self.length) - self.computed

    @property
    def completion_length(self) -> int:
        return self.length - self.prompt_length

    @property
    def prefilling(self) -> bool:
        return self.length - self.computed > 1 or self.length == self.prompt_length

    @property
    def scoring(self) -> bool:
        """Whether the logits of prompt tokens are wanted, not only of the last."""
        return self.scores is not None and not self.scores.complete

    @property
    def may_end(self) -> bool:
        """Whether the model's own end counts. Where a grammar holds, that is the grammar's."""
        if self.guide is not None and not self._free:
            return self.guide.may_end
        return not (self.request.ignore_eos or self.too_short)

    @property
    def too_short(self) -> bool:
        """Whether nothing may end it yet, as its caller wished."""
        return self.completion_length < self.request.rules.least and self._free

    @property
    def _free(self) -> bool:
        """Whether no grammar holds it."""
        return self.guide is None or (self.guide.state == "free" and self.guide.may_end)

    def append(self, token: int) -> None:
        if self.length == len(self._tokens):
            self._tokens = np.resize(self._tokens, 2 * self.length)
        self._tokens[self.length] = token
        self.length += 1
        if not self.first_token:
            self.first_token = perf_counter()

    def delta(self, data: bytes, logprob: TokenLogprob | None) -> Delta | None:
        """Take a sampled token's bytes; what may be shown for it, if anything."""
        text = self.text.push(data, logprob, stops=not self.too_short)
        logprobs = self.text.logprobs() if self.request.logprobs is not None else ()
        return Delta(self.id, text, self.completion_length, logprobs) if text or logprobs else None

    @property
    def writing(self) -> float:
        """Seconds since its first token."""
        return perf_counter() - self.first_token

    @property
    def followed(self) -> bool:
        """Whether somebody wants to hear of all its progress, and there is some left."""
        return self.request.progress and not self.completion_length

    def progress(self) -> Prefill:
        """How much of it is read."""
        seconds = perf_counter() - self.started if self.computed > self.cached else 0.0
        return Prefill(self.id, self.computed, self.length, self.cached, seconds)

    def finish(self, reason: FinishReason) -> Finished:
        now = perf_counter()
        started = self.started or now
        first = self.first_token or now
        return Finished(
            id=self.id,
            reason=reason,
            text=self.text.flush(),
            prompt_tokens=self.prompt_length,
            cached_tokens=self.cached,
            completion_tokens=self.completion_length,
            timings=Timings(
                queue=started - self.submitted,
                prefill=first - started,
                decode=now - first,
                first_token=first - self.submitted,
            ),
            seed=self.sampler.seed,
            stop_string=self.text.stopped,
            logprobs=self.text.logprobs() if self.request.logprobs is not None else (),
        )
