"""A load as the arithmetic of memory sees it, by the same rules by which the engine loads."""

from __future__ import annotations

import msgspec

from lmnb.engine.cpu import usable_cores
from lmnb.engine.options import GpuOffload, LoadOptions
from lmnb.engine.settling import (
    LANES,
    PACKED_TOKENS,
    calls_at_once,
    longest_text,
    settled,
    settled_for_vectors,
)
from lmnb.models.gguf.info import ModelInfo
from lmnb.models.gguf.quants import TENSOR_TYPES
from lmnb.models.memory.shape import LoadShape

__all__ = ["gpu_layers", "makes_vectors", "settled_for", "shape_of"]

_NUMBERS = {kind.name.lower(): number for number, kind in TENSOR_TYPES.items()}


def shape_of(info: ModelInfo, options: LoadOptions) -> LoadShape:
    """What `options` become for this model."""
    vectors = makes_vectors(info, options)
    calls, _ = (1, 1) if info.causal else calls_at_once(options.threads or usable_cores())
    if vectors:
        options = settled_for_vectors(options, info.context_length)
    else:
        options = settled(options, info.context_length, info.parameters)
    assert options.context_length is not None
    return LoadShape(
        context=options.context_length,
        lanes=LANES if vectors else options.slots,
        unified=bool(options.kv_unified),
        batch=options.batch_size,
        micro_batch=min(options.micro_batch_size, options.batch_size),
        key_type=_NUMBERS[options.cache_type_k],
        value_type=_NUMBERS[options.cache_type_v],
        flash_attention=options.flash_attention is not False and info.architecture != "grok",
        full_window=options.swa_full,
        mmap=options.mmap,
        gpu_layers=gpu_layers(options.gpu, info.layers),
        cache_on_gpu=options.offload_kv_cache,
        vectors=vectors,
        further=(PACKED_TOKENS,) * (calls - 1),
        shares=options.tensor_split,
    )


def settled_for(info: ModelInfo, options: LoadOptions) -> LoadOptions:
    """What a caller is told: the context is that of one conversation, or of one text."""
    if not makes_vectors(info, options):
        return settled(options, info.context_length, info.parameters)
    longest = longest_text(options, info.context_length)
    return msgspec.structs.replace(options, context_length=longest, kv_unified=True)


def gpu_layers(gpu: GpuOffload, layers: int) -> int:
    """Layers that are to be on GPUs; the output counts as one."""
    match gpu:
        case "off":
            return 0
        case str():
            return layers + 1
        case float(share):
            return round(share * (layers + 1))
        case count:
            return min(int(count), layers + 1)


def makes_vectors(info: ModelInfo, options: LoadOptions) -> bool:
    """Instead of text."""
    if not info.causal or options.embeddings is not None:
        return not info.causal or bool(options.embeddings)
    return info.pooling not in (None, "none")
