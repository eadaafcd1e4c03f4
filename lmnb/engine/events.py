"""What an engine says about a sequence while it computes it."""

from __future__ import annotations

from typing import Literal

import msgspec

Bytes = bytes  # the name of a field below hides the type
FinishReason = Literal["stop", "stop_string", "length", "context", "cancelled"]
"""`stop`: the model ended. `stop_string`: a stop string was met. `length`: max_tokens.
`context`: the context is full. `cancelled`: the caller went away."""


class Alternative(msgspec.Struct, frozen=True, array_like=True):
    """One candidate token: its bytes (base for text), natural-log probability, token id."""

    bytes: Bytes
    logprob: float
    token: int


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    bytes: Bytes
    logprob: float
    token: int
    top: tuple[Alternative, ...] = ()


class Timings(msgspec.Struct, frozen=True):
    """Seconds. `first_token` counts from submission; `prefill` and `decode` are time spent in each."""

    queue: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    first_token: float = 0.0


class Accepted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The prompt was read and fits. Always the first event of a sequence."""

    id: int
    prompt_tokens: int
    ids: tuple[int, ...] = ()
    """Those tokens, where they were asked for. A picture's are negative."""


class Prefill(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """`done` of `total` prompt tokens are in the KV cache; `cached` of them were there before.
    `seconds` since the first of the others was read."""

    id: int
    done: int
    total: int
    cached: int
    seconds: float = 0.0


class Scored(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Every token of the prompt, and how likely the model found it, once all are computed. Nothing
    says how likely the first is: its `logprob` is NaN."""

    id: int
    tokens: tuple[TokenLogprob, ...]


class Delta(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """New text (whole characters, stop strings held back). May be empty when only logprobs came."""

    id: int
    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The end of a sequence. `text` is what was still held back."""

    id: int
    reason: FinishReason
    text: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    timings: Timings
    seed: int
    stop_string: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The end of a sequence that could not be computed. `kind` names a class of lmnb.errors."""

    id: int
    kind: str
    message: str
    param: str | None = None


class Embedded(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The end of an embedding or reranking: a row for each input."""

    id: int
    vectors: Bytes
    """All rows, one after the other: 32-bit floats, little-endian. Of a reranking: the scores."""
    tokens: tuple[int, ...]
    """How many tokens each input had."""


SequenceEvent = Accepted | Prefill | Scored | Delta | Finished | Embedded | Failed
Pooling = Literal["mean", "cls", "last", "rank"]
"""How the vectors of tokens become one. `rank`: a score instead of a vector."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the loaded model says of itself, and what the context was really made with."""

    description: str
    architecture: str
    size_bytes: int
    parameters: int
    n_vocab: int
    n_layers: int
    train_context: int
    context_length: int
    """Tokens one sequence may hold."""
    slots: int
    batch_size: int
    micro_batch_size: int
    threads: int
    gpu_layers: int
    kv_unified: bool
    flash_attention: bool | None
    chat_template: str | None
    templates: dict[str, str]
    """Named templates beside the default one (`tool_use`, ...)."""
    bos: str
    eos: str
    add_bos: bool
    special_tokens: tuple[str, ...]
    """Text of every control token: must not come from users as control."""
    metadata: dict[str, str]
    load_seconds: float
    llama_cpp: str
    can_generate: bool = True
    pooling: Pooling | None = None
    """None: it was loaded to write text. `rank`: it gives scores, others vectors."""
    embedding_length: int = 0
    vision: bool = False
    """It has a projector, and sees pictures."""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a running engine."""

    running: int
    reading: int
    """Of those that run, the ones whose prompts are still being read."""
    waiting: int
    threads: int
    cells_used: int
    cells_total: int
    host_cache_bytes: int
    host_cache_entries: int
    tokens_generated: int
    prompt_tokens: int
    cached_tokens: int
    steps: int
    python_seconds: float
    """Time in our own Python in all steps, outside llama.cpp and sampling."""
    step_seconds: float
