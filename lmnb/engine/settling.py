"""What the options of a load become where they leave it to lmnb: the same rules for loading and for
saying beforehand how much memory that will take. Imports nothing native."""

from __future__ import annotations

import msgspec

from lmnb.engine.options import LoadOptions

__all__ = [
    "LANES",
    "PACKED_TOKENS",
    "calls_at_once",
    "longest_text",
    "settled",
    "settled_for_vectors",
]

DEFAULT_CONTEXT = 4096
MANY_SLOTS = 4
SMALL_MODEL = 500_000_000
"""More slots than that, and those of a model of up to so many parameters, get a KV cache each: that is
faster for many unrelated requests, and an answer does not depend on who else has cells."""
SEPARATE_CELLS = 32768
"""Unless that makes more cells than this: a shared cache costs less memory (docs/architecture.md)."""
CELLS = 256
"""llama.cpp makes contexts of a multiple of so many tokens."""
PACKED_TOKENS = 256
"""Texts share a call up to so many tokens. More would let others wait longer."""
LANES = 64
"""Texts in one call."""
MOST_CALLS = 8
"""At the same time. Each needs memory."""


def settled(options: LoadOptions, train_context: int, parameters: int) -> LoadOptions:
    """For a model that writes text. `train_context`: the longest it was made for; 0: unknown."""
    context = options.context_length
    if not context:
        context = min(train_context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    unified = options.kv_unified
    if unified is None:
        shared = options.slots <= MANY_SLOTS and parameters > SMALL_MODEL
        unified = shared or options.slots * context > SEPARATE_CELLS
    return msgspec.structs.replace(options, context_length=context, kv_unified=unified)


def settled_for_vectors(options: LoadOptions, train_context: int) -> LoadOptions:
    """For a model that computes vectors: one call must hold the longest text, or several short
    ones. `context_length` is the room of a call then; texts may be as long as `longest_text`."""
    room = max(PACKED_TOKENS, -(-longest_text(options, train_context) // CELLS) * CELLS)
    return msgspec.structs.replace(
        options, context_length=room, batch_size=room, micro_batch_size=room, kv_unified=True
    )


def calls_at_once(threads: int) -> tuple[int, int]:
    """For an encoder on processors: how many calls, of how many threads each."""
    each = -(-threads // MOST_CALLS)
    return threads // each, each


def longest_text(options: LoadOptions, train_context: int) -> int:
    """Tokens of the longest text to be turned into a vector."""
    return min(options.context_length or DEFAULT_CONTEXT, train_context or DEFAULT_CONTEXT)
