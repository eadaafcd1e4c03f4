"""From logits to the next token of a sequence, and whether it was the last."""

from __future__ import annotations

from time import perf_counter

import msgspec
import numpy as np

from lmnb.engine.context import Logits
from lmnb.engine.events import Delta, FinishReason
from lmnb.engine.masks import Allowed
from lmnb.engine.sampling import logprob
from lmnb.engine.sequence import Sequence
from lmnb.engine.vocab import Vocab
from lmnb.errors import InvalidRequest


class Completion:
    """Extends sequences, token by token. `length`: tokens that one of them may have in all."""

    def __init__(self, vocab: Vocab, length: int) -> None:
        self.vocab = vocab
        self.length = length
        self.tokens = 0
        """Sampled so far."""
        self.seconds = 0.0
        """Spent in samplers and grammars."""

    def extend(self, sequence: Sequence, row: Logits) -> tuple[Delta | None, FinishReason | None]:
        """Sample a token; what may be shown for it, and why the sequence ends, if it does.

        Raises LmnbError where the logits, or the grammar, leave nothing to choose from.
        """
        request, rules = sequence.request, sequence.request.rules
        row[self.vocab.suppressed] = -np.inf
        if not sequence.may_end:
            row[self.vocab.end_tokens] = -np.inf
        if sequence.too_short:
            row[list(rules.stop)] = -np.inf
        start = perf_counter()
        token = self._choose(sequence, row)
        self.seconds += perf_counter() - start
        self.tokens += 1
        asked = token in rules.stop
        ended = asked or self.vocab.is_end(token)
        silent = ended and not (asked and rules.keep_stop)
        chance = None
        if request.logprobs is not None and (request.score_prompt or rules.ids or not silent):
            chance = logprob(row, token, request.logprobs, self.vocab)
        sequence.append(token)
        if sequence.thinking is not None:
            sequence.thinking.saw(token)
        if chance is not None and silent:
            # Who scores prompts counts tokens: each has its score, the end too, which has no text.
            sequence.text.push(b"", msgspec.structs.replace(chance, bytes=b""))
        delta = None
        if not silent:
            shown = ended or token in sequence.visible
            data = self.vocab.render(token, special=True) if shown else self.vocab.piece(token)
            delta = sequence.delta(data, chance)
        return delta, self._end(sequence, ended)

    def _choose(self, sequence: Sequence, row: Logits) -> int:
        """The next token, which its grammar, if it has one, allows and has taken."""
        guide = sequence.guide
        due = sequence.thinking.due if sequence.thinking is not None else None
        if guide is None:
            return sequence.sampler.sample(row, sequence.allowed if due is None else due)
        while True:
            allowed = _common(guide.allowed(), sequence.allowed)
            if due is not None and (allowed is None or np.isin(due, allowed).all()):
                allowed, due = due, None
            token = sequence.sampler.sample(row, allowed)
            if self.vocab.is_end(token) or guide.accept(token):
                return token
            row[token] = -np.inf

    def _end(self, sequence: Sequence, ended: bool) -> FinishReason | None:
        limit, seconds = sequence.request.max_tokens, sequence.request.rules.seconds
        if sequence.text.stopped is not None:
            return "stop_string"
        if ended or (sequence.guide is not None and sequence.guide.state == "complete"):
            return "stop"
        if limit is not None and sequence.completion_length >= limit:
            return "length"
        if seconds is not None and sequence.writing > seconds and self._ends_a_line(sequence):
            return "length"
        if sequence.length >= self.length:
            return "context"
        return None

    def _ends_a_line(self, sequence: Sequence) -> bool:
        return b"\n" in self.vocab.piece(int(sequence.tokens[-1]))


def _common(grammar: Allowed | None, caller: Allowed | None) -> Allowed | None:
    """Tokens that both allow; None stands for all. Raises InvalidRequest where there are none."""
    if grammar is None or caller is None:
        return caller if grammar is None else grammar
    both = np.intersect1d(grammar, caller, assume_unique=True)
    if not len(both):
        raise InvalidRequest(
            "The grammar goes on with none of the allowed tokens.", param="allowed_token_ids"
        )
    return both
