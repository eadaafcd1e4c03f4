"""What a load and a request may ask of an engine. Plain values: they cross the pipe as they are."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
GpuOffload = Literal["auto", "off", "max"] | int | float
"""`auto` (as many layers as the GPUs have room for), `off`, `max`, a number of layers (int), or a share
of the layers (float, 0.0 to 1.0)."""


class LoraAdapter(msgspec.Struct, frozen=True):
    path: str
    scale: float = 1.0


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is loaded. `None` means: let lmnb decide, or take the model's own value."""

    context_length: int | None = None
    """Tokens one conversation may hold. None: min(the model's own, 4096)."""
    slots: int = 4
    """Requests that are computed at the same time (1 to 64)."""
    kv_unified: bool | None = None
    """True: the slots share one KV cache of `context_length` cells. False: each slot has its own.
    None: what suits the model and the slots (`settling.py`)."""
    batch_size: int = 2048
    """Most tokens handed to llama.cpp in one call."""
    micro_batch_size: int = 512
    """Most tokens computed in one graph."""
    threads: int | None = None
    """Most threads a step may use. None: the physical cores this process may use."""
    adaptive_threads: bool = True
    """Give threads up while something else on the machine computes."""
    gpu: GpuOffload = "auto"
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    flash_attention: bool | None = None
    offload_kv_cache: bool = True
    cache_type_k: CacheType = "f16"
    cache_type_v: CacheType = "f16"
    swa_full: bool = True
    """Keep the whole sliding-window cache, so that any prefix can be reused."""
    mmap: bool = True
    mlock: bool = False
    num_experts: int | None = None
    """Experts asked for each token, of those that the model has. Without experts it means nothing."""
    rope_freq_base: float | None = None
    rope_freq_scale: float | None = None
    lora: tuple[LoraAdapter, ...] = ()
    host_cache_mib: int | None = None
    """Host memory for sequences evicted from the KV cache. 0: none are kept. None: a third of what
    the KV cache itself takes."""
    queue_limit: int = 256
    """Requests that may wait for a slot."""
    embeddings: bool | None = None
    """Compute vectors instead of text. None: if the model is made for it. True: a model that writes
    text gives vectors too (the mean over its tokens), and then writes no more."""
    projector: str | None = None
    """What the model sees with: the path of a GGUF file (mmproj). None: the one that belongs to the
    model, if there is one. Empty: none."""


Stage = Literal[
    "penalties",
    "dry",
    "top_n_sigma",
    "top_k",
    "typ_p",
    "top_p",
    "min_p",
    "xtc",
    "temperature",
    "adaptive_p",
]
USUAL_STAGES: tuple[Stage, ...] = tuple(one for one in get_args(Stage) if one != "adaptive_p")


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """llama.cpp's samplers and their meaning, in llama-server's order and with its defaults.

    Source of names, order and defaults: llama.cpp `common/common.h`, `common_params_sampling`.
    """

    temperature: float = 0.8
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = 64
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    min_keep: int = 0
    """Tokens that samplers which drop tokens leave, at least."""
    samplers: tuple[Stage, ...] = USUAL_STAGES
    """Which, and in what order. Mirostat takes the place of all. `adaptive_p` is always the last: it
    chooses instead of chance alone."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    text_bias: tuple[tuple[str, float], ...] = ()
    """The same for each token of a text."""
    seed: int | None = None
    """None: a fresh one each time."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of prompt text, or the place of a picture. `special`: control-token text in it
    stands for the tokens."""

    text: str
    special: bool = True
    image: int | None = None
    """The number of the picture, among the request's, that stands here."""


Prompt = tuple[Span, ...] | tuple[int, ...]


class Constraint(msgspec.Struct, frozen=True, kw_only=True):
    """What the output must be: a grammar in llguidance's Lark (`%json {...}` in it for schemas).

    Without `triggers` it holds from the first token, and the sequence ends where it is complete.
    With them the model is free until one of these texts has come out; the grammar says what follows
    that text. Once it is complete the model is free again, until the next trigger; or, when it is
    `final`, the sequence ends there, and cannot end before.
    """

    grammar: str
    triggers: tuple[str, ...] = ()
    final: bool = False
    opening: str = ""
    """With `triggers` and `final`: only output that begins with this text waits for a trigger (a
    model that may think, but need not); any other is constrained from its first token."""


class ThinkingLimit(msgspec.Struct, frozen=True, kw_only=True):
    """After `tokens` of thinking `closing` is written in the model's place, which goes on from there."""

    tokens: int
    start: str
    """What thinking begins with. Empty: the prompt has begun it."""
    end: str
    """What the model ends it with by itself."""
    closing: str


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of an answer's tokens, beside how they are sampled."""

    least: int = 0
    """Before so many, only a grammar ends the answer."""
    stop: tuple[int, ...] = ()
    """They end it as the model's own end does."""
    keep_stop: bool = False
    """The stop string or stop token that was met is the end of the text."""
    allowed: tuple[int, ...] = ()
    """No others may come. Empty: all may."""
    controls: bool = False
    """Control tokens show as text."""
    seconds: float | None = None
    """Where a line ends later than this after the first token, the answer ends too."""
    ids: bool = False
    """`Accepted` holds the prompt's ids, and the model's end is among the log-probabilities."""


class EngineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One sequence to compute."""

    prompt: tuple[Span, ...] = ()
    prompt_tokens: tuple[int, ...] = ()
    """Token ids, instead of `prompt`. Used as they are: no BOS is added."""
    images: tuple[bytes, ...] = ()
    """Pictures as files, which spans of `prompt` place."""
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    """None: until the model stops or the context is full. 0: only read the prompt."""
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    """None: no log-probabilities. n: for each token, its own and the n best alternatives (0 to 20)."""
    score_prompt: bool = False
    """Say the log-probabilities of the prompt's own tokens too, as `logprobs` says how."""
    suffix: str = ""
    """Fill in what stands between the prompt and this, if the model was taught to."""
    ignore_eos: bool = False
    progress: bool = False
    """Say `Prefill` before the prompt is read and when it has been, not only in between."""
    rules: TokenRules = TokenRules()
    constraint: Constraint | None = None
    thinking: ThinkingLimit | None = None
    """None: as long as the model likes."""
    visible: tuple[str, ...] = ()
    """Control tokens to show as text where the model writes them: the marks of its reasoning."""


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs to turn into vectors of length 1."""

    inputs: tuple[str | tuple[int, ...], ...]
    """Text gets the control tokens that the model wants around it; token ids are used as they are."""
    dimensions: int | None = None
    """Keep so many of each vector's first numbers (Matryoshka). None: all."""


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Documents to be judged by how well they answer `query`."""

    query: str
    documents: tuple[str, ...]
    field: str = "documents"
    """What the client calls them: errors do, too."""
