"""Models of a size that matters and without any weights: what llama.cpp allocates for them is real.

The files hold headers and zeros that were never written. Their tensors are those that llama.cpp
demands of each architecture (`src/models/`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gguf

from tests.synthetic import add_tokenizer

F16 = gguf.GGMLQuantizationType.F16
F32 = gguf.GGMLQuantizationType.F32


@dataclass(slots=True)
class Sized:
    """What a model is to be like. `kind`: the type of its matrices."""

    architecture: str
    width: int = 512
    forward: int = 1408
    layers: int = 4
    heads: int = 8
    kv_heads: int = 2
    vocabulary: int = 16000
    experts: int = 0
    kind: gguf.GGMLQuantizationType = F16
    tied: bool = False
    pooling: gguf.PoolingType | None = None
    context: int = 8192
    tensors: list[tuple[str, tuple[int, ...], gguf.GGMLQuantizationType]] = field(
        default_factory=list
    )

    @property
    def head(self) -> int:
        return self.width // self.heads

    def add(self, name: str, *shape: int) -> None:
        """A tensor; the row length first. Vectors and small things are in 32 bits."""
        plain = len(shape) == 1 or not name.endswith(".weight") or "conv" in name or "_inp" in name
        self.tensors.append((name, shape, F32 if plain else self.kind))


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


def _attention(
    writer: gguf.GGUFWriter, model: Sized, kv_heads: int | list[int] | None = None
) -> None:
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads if kv_heads is None else kv_heads)
    writer.add_rope_dimension_count(model.head)


def _attend(model: Sized, name: str, *, bias: bool = False, norm: bool = False) -> None:
    queries, keys = model.heads * model.head, model.kv_heads * model.head
    for part, width in (("q", queries), ("k", keys), ("v", keys)):
        model.add(f"{name}.attn_{part}.weight", model.width, width)
        if bias:
            model.add(f"{name}.attn_{part}.bias", width)
    model.add(f"{name}.attn_output.weight", queries, model.width)
    if norm:
        model.add(f"{name}.attn_q_norm.weight", model.head)
        model.add(f"{name}.attn_k_norm.weight", model.head)


def _feed(model: Sized, name: str) -> None:
    model.add(f"{name}.ffn_gate.weight", model.width, model.forward)
    model.add(f"{name}.ffn_up.weight", model.width, model.forward)
    model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def _feed_experts(model: Sized, name: str, forward: int) -> None:
    model.add(f"{name}.ffn_gate_inp.weight", model.width, model.experts)
    model.add(f"{name}.ffn_gate_exps.weight", model.width, forward, model.experts)
    model.add(f"{name}.ffn_up_exps.weight", model.width, forward, model.experts)
    model.add(f"{name}.ffn_down_exps.weight", forward, model.width, model.experts)


def _norms(model: Sized, name: str, *parts: str) -> None:
    for part in parts:
        model.add(f"{name}.{part}.weight", model.width)


def _llama(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(2)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        _attend(model, name)
        if model.experts:
            _feed_experts(model, name, model.forward)
        else:
            _feed(model, name)


def _qwen2(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        _attend(model, name, bias=True)
        _feed(model, name)


def _qwen3(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(4)
        writer.add_expert_feed_forward_length(model.forward // 2)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        _attend(model, name, norm=True)
        if model.experts:
            _feed_experts(model, name, model.forward // 2)
        else:
            _feed(model, name)


def _gemma(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    writer.add_key_length(model.head)
    writer.add_value_length(model.head)
    writer.add_sliding_window(512)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        _attend(model, name, norm=model.architecture == "gemma3")
        _feed(model, name)


def _phi3(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        model.add(
            f"{name}.attn_qkv.weight", model.width, (model.heads + 2 * model.kv_heads) * model.head
        )
        model.add(f"{name}.attn_output.weight", model.width, model.width)
        model.add(f"{name}.ffn_up.weight", model.width, 2 * model.forward)
        model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def _olmo2(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "post_attention_norm", "post_ffw_norm")
        _attend(model, name)
        model.add(f"{name}.attn_q_norm.weight", model.width)
        model.add(f"{name}.attn_k_norm.weight", model.kv_heads * model.head)
        _feed(model, name)


def _gpt_oss(writer: gguf.GGUFWriter, model: Sized) -> None:
    _attention(writer, model)
    writer.add_sliding_window(128)
    writer.add_expert_count(model.experts)
    writer.add_expert_used_count(4)
    writer.add_expert_feed_forward_length(model.width)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "post_attention_norm")
        _attend(model, name, bias=True)
        model.add(f"{name}.attn_output.bias", model.width)
        model.add(f"{name}.attn_sinks.weight", model.heads)
        _feed_experts(model, name, model.width)
        model.add(f"{name}.ffn_gate_inp.bias", model.experts)
        for part in ("gate", "up", "down"):
            model.add(f"{name}.ffn_{part}_exps.bias", model.width, model.experts)


def _deepseek2(writer: gguf.GGUFWriter, model: Sized) -> None:
    """Latent attention, one dense layer, then experts beside a shared one."""
    rank, rope, plain, value = 128, 32, 64, 64
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(rope)
    writer.add_kv_lora_rank(rank)
    writer.add_q_lora_rank(256)
    writer.add_key_length(rank + rope)
    writer.add_value_length(rank)
    writer.add_key_length_mla(plain + rope)
    writer.add_value_length_mla(value)
    writer.add_leading_dense_block_count(1)
    writer.add_expert_count(model.experts)
    writer.add_expert_used_count(4)
    writer.add_expert_shared_count(1)
    writer.add_expert_feed_forward_length(model.forward // 2)
    writer.add_expert_weights_scale(1.0)
    writer.add_expert_weights_norm(True)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        model.add(f"{name}.attn_q_a.weight", model.width, 256)
        model.add(f"{name}.attn_q_a_norm.weight", 256)
        model.add(f"{name}.attn_q_b.weight", 256, model.heads * (plain + rope))
        model.add(f"{name}.attn_kv_a_mqa.weight", model.width, rank + rope)
        model.add(f"{name}.attn_kv_a_norm.weight", rank)
        model.add(f"{name}.attn_k_b.weight", plain, rank, model.heads)
        model.add(f"{name}.attn_v_b.weight", rank, value, model.heads)
        model.add(f"{name}.attn_output.weight", model.heads * value, model.width)
        if layer == 0:
            _feed(model, name)
        else:
            _feed_experts(model, name, model.forward // 2)
            model.add(f"{name}.exp_probs_b.bias", model.experts)
            for part in ("gate", "up"):
                model.add(f"{name}.ffn_{part}_shexp.weight", model.width, model.forward // 2)
            model.add(f"{name}.ffn_down_shexp.weight", model.forward // 2, model.width)


def _add_state_space(
    writer: gguf.GGUFWriter, inner: int, state: int, rank: int, groups: int
) -> None:
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_ssm_group_count(groups)


def _state_space(model: Sized, name: str, inner: int, state: int, rank: int) -> None:
    model.add(f"{name}.ssm_in.weight", model.width, 2 * inner)
    model.add(f"{name}.ssm_conv1d.weight", 4, inner)
    model.add(f"{name}.ssm_conv1d.bias", inner)
    model.add(f"{name}.ssm_x.weight", inner, rank + 2 * state)
    model.add(f"{name}.ssm_dt.weight", rank, inner)
    model.add(f"{name}.ssm_dt.bias", inner)
    model.add(f"{name}.ssm_a", state, inner)
    model.add(f"{name}.ssm_d", inner)
    model.add(f"{name}.ssm_out.weight", inner, model.width)


def _mamba(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner = 2 * model.width
    writer.add_head_count(0)
    _add_state_space(writer, inner, 16, 32, 0)
    for layer in range(model.layers):
        _norms(model, f"blk.{layer}", "attn_norm")
        _state_space(model, f"blk.{layer}", inner, 16, 32)


def _mamba2(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner, state, heads, groups = 2 * model.width, 64, 16, 2
    writer.add_head_count(0)
    _add_state_space(writer, inner, state, heads, groups)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm")
        model.add(f"{name}.ssm_in.weight", model.width, 2 * inner + 2 * groups * state + heads)
        model.add(f"{name}.ssm_conv1d.weight", 4, inner + 2 * groups * state)
        model.add(f"{name}.ssm_conv1d.bias", inner + 2 * groups * state)
        model.add(f"{name}.ssm_dt.bias", heads)
        model.add(f"{name}.ssm_a", 1, heads)
        model.add(f"{name}.ssm_d", 1, heads)
        model.add(f"{name}.ssm_norm.weight", inner // groups, groups)
        model.add(f"{name}.ssm_out.weight", inner, model.width)


def _jamba(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner, state, rank = 2 * model.width, 16, 32
    attends = [layer % 4 == 2 for layer in range(model.layers)]
    _attention(writer, model, [model.kv_heads if here else 0 for here in attends])
    _add_state_space(writer, inner, state, rank, 0)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(2)
    for layer, here in enumerate(attends):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        if here:
            _attend(model, name)
        else:
            _state_space(model, name, inner, state, rank)
            for part, length in (("dt", rank), ("b", state), ("c", state)):
                model.add(f"{name}.ssm_{part}_norm.weight", length)
        if model.experts and layer % 2:
            _feed_experts(model, name, model.forward)
        else:
            _feed(model, name)


def _lfm2(writer: gguf.GGUFWriter, model: Sized) -> None:
    attends = [layer % 3 == 2 for layer in range(model.layers)]
    _attention(writer, model, [model.kv_heads if here else 0 for here in attends])
    writer.add_shortconv_l_cache(3)
    for layer, here in enumerate(attends):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm", "ffn_norm")
        if here:
            _attend(model, name, norm=True)
        else:
            model.add(f"{name}.shortconv.conv.weight", 3, model.width)
            model.add(f"{name}.shortconv.in_proj.weight", model.width, 3 * model.width)
            model.add(f"{name}.shortconv.out_proj.weight", model.width, model.width)
        _feed(model, name)


def _falcon(writer: gguf.GGUFWriter, model: Sized) -> None:
    """Attention and feed-forward side by side."""
    _attention(writer, model)
    model.add("output_norm.bias", model.width)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        _norms(model, name, "attn_norm")
        model.add(f"{name}.attn_norm.bias", model.width)
        model.add(
            f"{name}.attn_qkv.weight", model.width, (model.heads + 2 * model.kv_heads) * model.head
        )
        model.add(f"{name}.attn_output.weight", model.width, model.width)
        model.add(f"{name}.ffn_up.weight", model.width, model.forward)
        model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def _bert(writer: gguf.GGUFWriter, model: Sized) -> None:
    """An encoder: it sees all of a text at once."""
    _attention(writer, model, model.heads)
    writer.add_causal_attention(False)
    writer.add_token_type_count(2)
    model.add("token_types.weight", model.width, 2)
    model.add("position_embd.weight", model.width, model.context)
    model.add("token_embd_norm.bias", model.width)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        for part, rows, width in (
            ("attn_q", model.width, model.width),
            ("attn_k", model.width, model.width),
            ("attn_v", model.width, model.width),
            ("attn_output", model.width, model.width),
            ("ffn_up", model.width, model.forward),
            ("ffn_down", model.forward, model.width),
        ):
            model.add(f"{name}.{part}.weight", rows, width)
            model.add(f"{name}.{part}.bias", width)
        for part in ("attn_output_norm", "layer_output_norm"):
            model.add(f"{name}.{part}.weight", model.width)
            model.add(f"{name}.{part}.bias", model.width)


BUILDERS: dict[str, Callable[[gguf.GGUFWriter, Sized], None]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "qwen3moe": _qwen3,
    "gemma2": _gemma,
    "gemma3": _gemma,
    "phi3": _phi3,
    "olmo2": _olmo2,
    "gpt-oss": _gpt_oss,
    "deepseek2": _deepseek2,
    "mamba": _mamba,
    "mamba2": _mamba2,
    "jamba": _jamba,
    "lfm2": _lfm2,
    "falcon": _falcon,
    "bert": _bert,
}
