"""What a load and a request may ask: the first wall before the calls that abort the process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lmnb.engine.options import EngineRequest, LoadOptions, Sampling
from lmnb.errors import InvalidImage, InvalidRequest

if TYPE_CHECKING:
    from lmnb.engine.vocab import Vocab

MAX_SLOTS = 64
MAX_IMAGES = 64
MAX_STAGES = 32
MAX_BIASED_TEXTS = 1024
MAX_BIASED_TEXT = 100
_LARGE = 1e6

_LOAD_RANGES: dict[str, tuple[float, float]] = {
    "context_length": (1, 2**27),
    "slots": (1, MAX_SLOTS),
    "batch_size": (1, 2**16),
    "micro_batch_size": (1, 2**16),
    "threads": (1, 512),
    "main_gpu": (0, 63),
    "num_experts": (1, 4096),
    "rope_freq_base": (0, 1e12),
    "rope_freq_scale": (0, 1e6),
    "host_cache_mib": (0, 2**22),
    "queue_limit": (0, 2**20),
}
_SAMPLING_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "dynatemp_range": (0, 100),
    "dynatemp_exponent": (0, 100),
    "top_k": (-1, 2**31 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "top_n_sigma": (-1, _LARGE),
    "xtc_probability": (0, 1),
    "xtc_threshold": (0, 1),
    "repeat_penalty": (1e-3, 1e3),
    "repeat_last_n": (-1, 2**24),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
    "dry_multiplier": (0, _LARGE),
    "dry_base": (0, _LARGE),
    "dry_allowed_length": (0, 2**24),
    "dry_penalty_last_n": (-1, 2**24),
    "mirostat": (0, 2),
    "mirostat_tau": (1e-3, 1e3),
    "mirostat_eta": (0, 1e3),
    "adaptive_target": (-_LARGE, 1),
    "adaptive_decay": (0, 0.99),
    "min_keep": (0, 2**31 - 1),
}


def check_load(options: LoadOptions) -> None:
    """Raises InvalidRequest, naming the field."""
    for name, (low, high) in _LOAD_RANGES.items():
        if getattr(options, name) is not None:
            _within(name, getattr(options, name), low, high)
    match options.gpu:
        case "auto" | "off" | "max":
            pass
        case bool() | str():
            raise InvalidRequest("'gpu' must be 'auto', 'off', 'max' or a number.", param="gpu")
        case float(share):
            _within("gpu", share, 0, 1)
        case count:
            _within("gpu", count, 0, 2**20)
    for share in options.tensor_split:
        _within("tensor_split", share, 0, _LARGE)
    for adapter in options.lora:
        _within("lora", adapter.scale, -1e3, 1e3)
    if options.flash_attention is False and options.cache_type_v not in ("f32", "f16", "bf16"):
        raise InvalidRequest(
            f"'cache_type_v' {options.cache_type_v!r} needs flash attention.", param="cache_type_v"
        )


def check_request(request: EngineRequest) -> None:
    """Raises InvalidRequest, naming the field."""
    check_sampling(request.sampling)
    if request.max_tokens is not None:
        _within("max_tokens", request.max_tokens, 0, 2**31)
    if request.thinking is not None:
        _within("thinking_budget_tokens", request.thinking.tokens, 0, 2**31)
    if request.logprobs is not None:
        _within("top_logprobs", request.logprobs, 0, 20)
    if len(request.images) > MAX_IMAGES:
        raise InvalidImage(f"A prompt holds at most {MAX_IMAGES} pictures.")
    if len(request.stop) > 64 or any(len(s) > 4096 for s in request.stop):
        raise InvalidRequest("'stop' holds at most 64 strings of 4096 characters.", param="stop")


def check_tokens(request: EngineRequest, vocab: Vocab) -> None:
    """Raises InvalidRequest, naming the field."""
    rules = request.rules
    named = {
        "logit_bias": [token for token, _ in request.sampling.logit_bias],
        "stop_token_ids": rules.stop,
        "allowed_token_ids": rules.allowed,
    }
    for name, tokens in named.items():
        unknown = [token for token in tokens if not 0 <= token < vocab.size]
        if unknown:
            raise InvalidRequest(
                f"'{name}' names {unknown[0]}, which is no token of this model: it has {vocab.size}.",
                param=name,
            )
    barred = {*vocab.suppressed.tolist(), *(rules.stop if rules.least else ())}
    if rules.least or request.ignore_eos:
        barred.update(vocab.end_tokens.tolist())
    if rules.allowed and barred.issuperset(rules.allowed):
        raise InvalidRequest(
            "'allowed_token_ids' has only tokens that must not come.", param="allowed_token_ids"
        )


def check_sampling(sampling: Sampling) -> None:
    for name, (low, high) in _SAMPLING_RANGES.items():
        _within(name, getattr(sampling, name), low, high)
    if len(sampling.samplers) > MAX_STAGES:
        raise InvalidRequest(f"'samplers' holds at most {MAX_STAGES} names.", param="samplers")
    for _, bias in (*sampling.logit_bias, *sampling.text_bias):
        _within("logit_bias", bias, -_LARGE, _LARGE)
    texts = sampling.text_bias
    if len(texts) > MAX_BIASED_TEXTS or any(len(text) > MAX_BIASED_TEXT for text, _ in texts):
        raise InvalidRequest(
            f"'logit_bias' holds at most {MAX_BIASED_TEXTS} texts of {MAX_BIASED_TEXT} characters.",
            param="logit_bias",
        )
    breakers = sampling.dry_sequence_breakers
    if len(breakers) > 64 or any("\0" in b or not 0 < len(b) <= 40 for b in breakers):
        raise InvalidRequest(
            "'dry_sequence_breakers' holds at most 64 strings of 1 to 40 characters.",
            param="dry_sequence_breakers",
        )


def _within(name: str, value: Any, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidRequest(
            f"'{name}' must be a number from {low:g} to {high:g}, not {value!r}.", param=name
        )
