"""llama.cpp's samplers, one after the other, as `Sampling` asks for them.

The order, and what each of them is made of, are llama-server's (llama.cpp `common/sampling.cpp`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp as lib

from lmnb.engine.options import Sampling, Stage
from lmnb.engine.vocab import Vocab
from lmnb.errors import EngineError

__all__ = ["build_chain", "penalises", "window"]

MIROSTAT_SIZE = 100
"""Tokens from which mirostat 1 estimates how the probabilities fall; llama-server's number."""


def build_chain(options: Sampling, vocab: Vocab, seed: int, train_context: int) -> Any:
    """A chain that chooses a token: the caller's, to be freed."""
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    try:
        for sampler in _stages(options, vocab, seed, train_context):
            if not sampler:
                raise EngineError("llama.cpp refused a sampler.")
            lib.llama_sampler_chain_add(chain, sampler)
    except BaseException:
        lib.llama_sampler_free(chain)
        raise
    return chain


def penalises(o: Sampling) -> bool:
    return o.repeat_last_n != 0 and (
        o.repeat_penalty != 1 or o.presence_penalty != 0 or o.frequency_penalty != 0
    )


def window(last_n: int, train_context: int) -> int:
    """-1 means: the whole context."""
    return train_context if last_n < 0 else last_n


def _stages(o: Sampling, vocab: Vocab, seed: int, train_context: int) -> list[Any]:
    """In order. What would change nothing is left out."""
    stages = []
    if biases := [*o.logit_bias, *_text_biases(o, vocab)]:
        array = (lib.llama_logit_bias * len(biases))(*biases)
        stages.append(lib.llama_sampler_init_logit_bias(vocab.size, len(biases), array))
    if o.mirostat:
        return [*stages, lib.llama_sampler_init_temp(o.temperature), _mirostat(o, vocab, seed)]
    made: dict[Stage, tuple[bool, Callable[[], Any]]] = {
        "penalties": (penalises(o), lambda: _penalties(o, vocab, train_context)),
        "dry": (o.dry_multiplier > 0, lambda: _dry(o, vocab, train_context)),
        "top_n_sigma": (
            o.top_n_sigma > 0,
            lambda: lib.llama_sampler_init_top_n_sigma(o.top_n_sigma),
        ),
        "top_k": (o.top_k > 0, lambda: lib.llama_sampler_init_top_k(o.top_k)),
        "typ_p": (
            o.typical_p < 1,
            lambda: lib.llama_sampler_init_typical(o.typical_p, o.min_keep),
        ),
        "top_p": (o.top_p < 1, lambda: lib.llama_sampler_init_top_p(o.top_p, o.min_keep)),
        "min_p": (o.min_p > 0, lambda: lib.llama_sampler_init_min_p(o.min_p, o.min_keep)),
        "xtc": (
            o.xtc_probability > 0,
            lambda: lib.llama_sampler_init_xtc(
                o.xtc_probability, o.xtc_threshold, o.min_keep, seed
            ),
        ),
        "temperature": (True, lambda: _temperature(o)),
    }
    for name in o.samplers:
        if name != "adaptive_p":
            matters, make = made[name]
            if matters:
                stages.append(make())
    if "adaptive_p" in o.samplers:
        return [
            *stages,
            lib.llama_sampler_init_adaptive_p(o.adaptive_target, o.adaptive_decay, seed),
        ]
    return [*stages, lib.llama_sampler_init_dist(seed)]


def _text_biases(o: Sampling, vocab: Vocab) -> list[tuple[int, float]]:
    return [
        (token, bias)
        for text, bias in o.text_bias
        for token in vocab.tokenize(text, add_special=False, parse_special=False)
    ]


def _mirostat(o: Sampling, vocab: Vocab, seed: int) -> Any:
    if o.mirostat == 1:
        return lib.llama_sampler_init_mirostat(
            vocab.size, seed, o.mirostat_tau, o.mirostat_eta, MIROSTAT_SIZE
        )
    return lib.llama_sampler_init_mirostat_v2(seed, o.mirostat_tau, o.mirostat_eta)


def _penalties(o: Sampling, vocab: Vocab, train_context: int) -> Any:
    return lib.llama_sampler_init_penalties(
        vocab.size,
        window(o.repeat_last_n, train_context),
        o.repeat_penalty,
        o.frequency_penalty,
        o.presence_penalty,
    )


def _dry(o: Sampling, vocab: Vocab, train_context: int) -> Any:
    breakers = [text.encode() for text in o.dry_sequence_breakers]
    return lib.llama_sampler_init_dry(
        vocab.handle,
        o.dry_multiplier,
        o.dry_base,
        o.dry_allowed_length,
        window(o.dry_penalty_last_n, train_context),
        (ctypes.c_char_p * len(breakers))(*breakers),
        len(breakers),
    )


def _temperature(o: Sampling) -> Any:
    if o.dynatemp_range > 0:
        return lib.llama_sampler_init_temp_ext(o.temperature, o.dynatemp_range, o.dynatemp_exponent)
    return lib.llama_sampler_init_temp(o.temperature)
