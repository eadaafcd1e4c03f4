"""What llama.cpp knows of an architecture by its name: which layers look back how far, and keep what.

Sources: `load_arch_hparams` of each file in llama.cpp's `src/models/`, and `create_memory` in
`src/llama-model.cpp`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lmnb.models.memory.metadata import Metadata

__all__ = ["caching_layers", "recurrent_layers", "windows"]

_NO_CACHE = frozenset(
    "bert dream eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llada llada-moe modern-bert "
    "neo-bert nomic-bert nomic-bert-moe rnd1".split()
)
"""They see all of a text at once and keep nothing of it."""

_WINDOWED: dict[str, tuple[int, bool, int]] = {
    "afmoe": (4, False, 0),
    "cohere2": (4, False, 0),
    "cohere2moe": (4, True, 0),
    "exaone-moe": (4, False, 128),
    "exaone4": (4, False, 4096),
    "gemma2": (2, False, 4096),
    "gemma3": (6, False, 0),
    "gemma3n": (5, False, 0),
    "gemma4": (1, False, 0),
    "gpt-oss": (2, False, 0),
    "granite_swa": (1, False, 0),
    "laguna": (4, True, 0),
    "llama4": (4, False, 8192),
    "maple": (1, False, 0),
    "mellum": (4, False, 0),
    "mimo2": (1, False, 0),
    "modern-bert": (3, True, 0),
    "muse-glimmer": (4, False, 0),
    "olmo2": (4, False, 0),
    "plamo3": (8, False, 0),
    "smallthinker": (4, True, 0),
    "spark2_5": (1, False, 0),
    "step35": (1, False, 0),
}
"""Of an architecture with sliding windows: one layer in so many sees everything, the first of them
(true) or the last; and its window where the header has none. Others ignore a window in the header."""

_FIXED_WINDOW = {"llama4": 8192, "smallthinker": 4096}
"""Whatever the header says, if it does not say 0."""


def windows(read: Metadata, architecture: str, count: int) -> tuple[int, tuple[bool, ...]]:
    """The window, and which layers look back no further."""
    everywhere = (False,) * count
    if architecture.startswith("lfm2") and (window := read.number("attention.sliding_window")):
        return window, tuple(
            heads > 0 for heads in read.per_layer("attention.head_count_kv", count)
        )
    if architecture not in _WINDOWED or (architecture == "exaone4" and count != 64):
        return 0, everywhere
    period, dense_first, window = _WINDOWED[architecture]
    if read.has("attention.sliding_window"):
        window = read.number("attention.sliding_window")
        window = window and _FIXED_WINDOW.get(architecture, window)
    if not window:
        return 0, everywhere
    if pattern := read.flags("attention.sliding_window_pattern", count):
        return window, pattern
    period = read.number("attention.sliding_window_pattern") or period
    full = 0 if dense_first else period - 1
    return window, tuple(index % period != full for index in range(count))


def recurrent_layers(
    read: Metadata, architecture: str, kv_heads: Sequence[int], names: Sequence[Collection[str]]
) -> tuple[bool, ...]:
    """Which layers keep a state. `names`: of each layer's tensors."""
    count = len(names)
    if not read.any("ssm.", "wkv.", "kda.", "shortconv."):
        return (False,) * count
    if pattern := read.flags("attention.recurrent_layers", count):
        return pattern
    if interval := read.number("full_attention_interval"):
        return tuple((index + 1) % interval != 0 for index in range(count))
    if architecture.startswith(("qwen3next", "qwen35")):
        return tuple((index + 1) % 4 != 0 for index in range(count))
    if architecture.startswith(("mamba", "rwkv", "arwkv", "falcon-h1")):
        return (True,) * count
    if architecture.startswith("nemotron_h"):
        return tuple("ssm_in.weight" in tensors for tensors in names)
    return tuple(heads == 0 for heads in kv_heads)


def caching_layers(
    read: Metadata, architecture: str, kv_heads: Sequence[int], recurrent: Sequence[bool]
) -> tuple[bool, ...]:
    """Which layers have a KV cache of their own."""
    count = len(kv_heads)
    own = 0 if architecture in _NO_CACHE else count
    if architecture == "gemma3n":
        own = min(count, 20)
    if architecture == "gemma4":
        own = count - read.number("attention.shared_kv_layers")
    return tuple(
        index < own
        and kv_heads[index] > 0
        and (not recurrent[index] or architecture == "falcon-h1")
        for index in range(count)
    )
