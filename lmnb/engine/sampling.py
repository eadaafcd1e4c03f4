"""How the next token is chosen: llama.cpp's own samplers over the rows of one step.

Two shortcuts give the same token for the same seed and cost a fraction:

- where nothing moves the best token or takes it away, temperature 0 is an argmax;
- when top-k comes before anything that looks at the whole vocabulary, only the tokens that could
  be among the k best are handed to the chain.
"""

from __future__ import annotations

import contextlib
import ctypes
import secrets
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from lmnb.engine.chain import build_chain, penalises, window
from lmnb.engine.context import Logits
from lmnb.engine.events import Alternative, TokenLogprob
from lmnb.engine.options import USUAL_STAGES, Sampling
from lmnb.engine.vocab import Tokens, Vocab
from lmnb.errors import DamagedModel, EngineError

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_ADDRESS = ctypes.POINTER(lib.llama_token_data)
_UINT32 = 0xFFFFFFFF


class Sampler:
    """Chooses tokens for one sequence. Holds its random state and the tokens it penalises."""

    def __init__(self, options: Sampling, vocab: Vocab, train_context: int) -> None:
        self.seed = (secrets.randbits(32) if options.seed is None else options.seed) & _UINT32
        self._vocab = vocab
        self._stack = contextlib.ExitStack()
        penalised = penalises(options) or options.dry_multiplier > 0
        reordered = options.samplers != USUAL_STAGES
        biased = bool(options.logit_bias or options.text_bias)
        whole = penalised or biased or options.mirostat > 0 or reordered
        self.history = max(
            window(options.repeat_last_n, train_context) if penalises(options) else 0,
            _dry_window(options, train_context),
        )
        """How many of the last prompt tokens the chain must see before it starts."""
        self._greedy = options.temperature <= 0 and not (whole or _may_lose_the_best(options))
        self._stateful = penalised or options.mirostat > 0 or "adaptive_p" in options.samplers
        sized = 0 < options.top_k <= 1024 and options.top_n_sigma <= 0 and not whole
        self._top = _Shortlist(options.top_k) if sized else None
        self._chain: Any = None
        if not self._greedy:
            self._chain = build_chain(options, vocab, self.seed, train_context)
            self._stack.callback(lib.llama_sampler_free, self._chain)

    def close(self) -> None:
        self._stack.close()

    def observe(self, tokens: Tokens) -> None:
        """Show the chain the end of the prompt, which penalties count too."""
        if self._chain and self._stateful and self.history:
            for token in tokens[tokens >= 0][-self.history :]:  # a picture's are no words
                lib.llama_sampler_accept(self._chain, int(token))

    def sample(self, row: Logits, allowed: NDArray[np.intp] | None = None) -> int:
        """The next token for a row of logits (vocabulary,), of those `allowed`. The row is not
        changed.

        Raises EngineError when the model computed no number: a damaged file.
        """
        logits = row if allowed is None else row[allowed]
        if self._greedy:
            best = int(logits.argmax())
            if logits[best] != logits[best]:
                raise DamagedModel("The model computed NaN: its file is damaged.")
            return best if allowed is None else int(allowed[best])
        if self._top is not None:
            chosen = self._top.select(logits)
        else:
            if np.isnan(logits).any():
                raise DamagedModel("The model computed NaN: its file is damaged.")
            chosen = np.arange(len(logits))
        candidates = np.empty(len(chosen), _CANDIDATE)
        candidates["id"] = chosen if allowed is None else allowed[chosen]
        candidates["logit"] = logits[chosen]
        array = lib.llama_token_data_array(
            ctypes.cast(candidates.ctypes.data, _ADDRESS), len(candidates), -1, False
        )
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        if not 0 <= array.selected < array.size:
            raise EngineError("llama.cpp's samplers chose no token.")
        token = int(array.data[array.selected].id)
        if self._stateful:
            lib.llama_sampler_accept(self._chain, token)
        return token


class _Shortlist:
    """Every token that can be among the k best, and few others.

    Keeps the distance below the best logit within which k tokens were found last time: the next
    row is rarely very different.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._reach = np.float32(12.0)

    def select(self, row: Logits) -> NDArray[np.intp]:
        """Indices into `row`, in order."""
        if len(row) <= self._k:  # a grammar leaves few: all of them
            if np.isnan(row).any():
                raise DamagedModel("The model computed NaN: its file is damaged.")
            return np.arange(len(row))
        best = row.max()
        if best != best:
            raise DamagedModel("The model computed NaN: its file is damaged.")
        k = self._k
        for _ in range(8):
            chosen = np.flatnonzero(row > best - self._reach)
            if len(chosen) >= k:
                break
            self._reach *= np.float32(1.5)
        else:
            chosen = np.argpartition(row, len(row) - k)[-k:]
        if len(chosen) > 8 * k:
            self._reach *= np.float32(0.9)
        return chosen


def logprob(row: Logits, token: int, top: int, vocab: Vocab) -> TokenLogprob:
    """Natural-log probabilities of the model itself, before any sampler, as OpenAI means them."""
    best = row.max()
    total = float(best) + float(np.log(np.exp(row - best, dtype=np.float32).sum(dtype=np.float64)))

    def alternative(token: int) -> Alternative:
        return Alternative(vocab.render(token, special=True), float(row[token]) - total, token)

    ranked: list[Alternative] = []
    if top:
        indices = np.argpartition(row, len(row) - top)[-top:]
        ranked = [alternative(int(i)) for i in indices[np.argsort(-row[indices], kind="stable")]]
    own = alternative(token)
    return TokenLogprob(own.bytes, own.logprob, token, tuple(ranked))


def _may_lose_the_best(o: Sampling) -> bool:
    """Whether temperature 0 can choose another token than the likeliest."""
    return o.typical_p < 1 or o.xtc_probability > 0 or o.dynatemp_range > 0


def _dry_window(o: Sampling, train_context: int) -> int:
    return window(o.dry_penalty_last_n, train_context) if o.dry_multiplier > 0 else 0
