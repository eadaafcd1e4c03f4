"""Models of a size that matters and without any weights: what llama.cpp allocates for them is real.

The files hold headers and zeros that were never written. Their tensors are those that llama.cpp
demands of each architecture (`src/models/`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gguf

from tests.sized import experts, recurrent, transformers
from tests.sized.model import Sized
from tests.synthetic import add_tokenizer

__all__ = ["Sized", "write_sized"]

BUILDERS: dict[str, Callable[[gguf.GGUFWriter, Sized], None]] = {
    "llama": transformers.llama,
    "qwen2": transformers.qwen2,
    "qwen3": transformers.qwen3,
    "qwen3moe": transformers.qwen3,
    "gemma2": transformers.gemma,
    "gemma3": transformers.gemma,
    "gemma4": transformers.gemma4,
    "phi3": transformers.phi3,
    "olmo2": transformers.olmo2,
    "falcon": transformers.falcon,
    "bert": transformers.bert,
    "gpt-oss": experts.gpt_oss,
    "deepseek2": experts.deepseek2,
    "mamba": recurrent.mamba,
    "mamba2": recurrent.mamba2,
    "jamba": recurrent.jamba,
    "lfm2": recurrent.lfm2,
    "qwen35": recurrent.qwen35,
}


def write_sized(path: Path, model: Sized) -> Path:
    writer = gguf.GGUFWriter(path, model.architecture)
    add_tokenizer(writer, model.vocabulary)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.width)
    writer.add_block_count(model.layers)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_feed_forward_length(model.forward)
    model.add("token_embd.weight", model.width, model.vocabulary)
    norm = "token_embd_norm" if model.architecture in ("bert", "lfm2") else "output_norm"
    model.add(f"{norm}.weight", model.width)
    if not model.tied:
        model.add("output.weight", model.width, model.vocabulary)
    if model.pooling is not None:
        writer.add_pooling_type(model.pooling)
    BUILDERS[model.architecture](writer, model)
    for name, shape, kind in model.tensors:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = 1
        for length in shape:
            count *= length
        writer.add_tensor_info(name, shape[::-1], None, count // block * size, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    end = path.stat().st_size
    start = -(-end // 32) * 32
    total = sum(
        -(-info.nbytes // 32) * 32 for tensors in writer.tensors for info in tensors.values()
    )
    os.truncate(path, start + total)
    return path
