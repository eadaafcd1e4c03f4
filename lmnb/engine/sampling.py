"""How the next token is chosen: llama.cpp's own samplers over the rows of one step.

The chain, its order and its defaults are llama-server's (llama.cpp `common/sampling.cpp`). Two
shortcuts give the same token for the same seed and cost a fraction:

- greedy without penalties is an argmax;
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

from lmnb.engine.context import Logits
from lmnb.engine.events import Alternative, TokenLogprob
from lmnb.engine.options import Sampling
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
        penalised = _penalises(options) or options.dry_multiplier > 0
        whole = penalised or bool(options.logit_bias) or options.mirostat > 0
        self.history = max(
            options.repeat_last_n if _penalises(options) else 0,
            _dry_window(options, train_context),
        )
        """How many of the last prompt tokens the chain must see before it starts."""
        self._greedy = options.temperature <= 0 and not whole
        self._stateful = penalised or options.mirostat > 0
        sized = 0 < options.top_k <= 1024 and options.top_n_sigma <= 0 and not whole
        self._top = _Shortlist(options.top_k) if sized else None
        self._chain = None if self._greedy else self._build(options, train_context)

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

    def _build(self, o: Sampling, train_context: int) -> Any:
        chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        self._stack.callback(lib.llama_sampler_free, chain)

        def add(sampler: Any) -> None:
            if not sampler:
                raise EngineError("llama.cpp refused a sampler.")
            lib.llama_sampler_chain_add(chain, sampler)

        size = self._vocab.size
        if o.logit_bias:
            bias = (lib.llama_logit_bias * len(o.logit_bias))(*o.logit_bias)
            add(lib.llama_sampler_init_logit_bias(size, len(bias), bias))
        if o.mirostat:
            add(lib.llama_sampler_init_temp(o.temperature))
            if o.mirostat == 1:
                add(
                    lib.llama_sampler_init_mirostat(
                        size, self.seed, o.mirostat_tau, o.mirostat_eta, 100
                    )
                )
            else:
                add(lib.llama_sampler_init_mirostat_v2(self.seed, o.mirostat_tau, o.mirostat_eta))
            return chain
        if _penalises(o):
            add(
                lib.llama_sampler_init_penalties(
                    size,
                    _window(o.repeat_last_n, train_context),
                    o.repeat_penalty,
                    o.frequency_penalty,
                    o.presence_penalty,
                )
            )
        if o.dry_multiplier > 0:
            breakers = [b.encode() for b in o.dry_sequence_breakers]
            add(
                lib.llama_sampler_init_dry(
                    self._vocab.handle,
                    o.dry_multiplier,
                    o.dry_base,
                    o.dry_allowed_length,
                    _window(o.dry_penalty_last_n, train_context),
                    (ctypes.c_char_p * len(breakers))(*breakers),
                    len(breakers),
                )
            )
        if o.top_n_sigma > 0:
            add(lib.llama_sampler_init_top_n_sigma(o.top_n_sigma))
        if o.top_k > 0:
            add(lib.llama_sampler_init_top_k(o.top_k))
        if o.typical_p < 1:
            add(lib.llama_sampler_init_typical(o.typical_p, 0))
        if o.top_p < 1:
            add(lib.llama_sampler_init_top_p(o.top_p, 0))
        if o.min_p > 0:
            add(lib.llama_sampler_init_min_p(o.min_p, 0))
        if o.xtc_probability > 0:
            add(lib.llama_sampler_init_xtc(o.xtc_probability, o.xtc_threshold, 0, self.seed))
        if o.dynatemp_range > 0:
            add(
                lib.llama_sampler_init_temp_ext(
                    o.temperature, o.dynatemp_range, o.dynatemp_exponent
                )
            )
        else:
            add(lib.llama_sampler_init_temp(o.temperature))
        add(lib.llama_sampler_init_dist(self.seed))
        return chain


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


def _penalises(o: Sampling) -> bool:
    return o.repeat_last_n != 0 and (
        o.repeat_penalty != 1 or o.presence_penalty != 0 or o.frequency_penalty != 0
    )


def _window(last_n: int, train_context: int) -> int:
    """-1 means: the whole context."""
    return train_context if last_n < 0 else last_n


def _dry_window(o: Sampling, train_context: int) -> int:
    return _window(o.dry_penalty_last_n, train_context) if o.dry_multiplier > 0 else 0
