"""Architectures whose layers keep a state, or some of them."""

from __future__ import annotations

import gguf

from tests.sized.blocks import (
    add_state_space,
    attend,
    attention,
    feed,
    feed_experts,
    norms,
    state_space,
)
from tests.sized.model import Sized


def mamba(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner = 2 * model.width
    writer.add_head_count(0)
    add_state_space(writer, inner, 16, 32, 0)
    for layer in range(model.layers):
        norms(model, f"blk.{layer}", "attn_norm")
        state_space(model, f"blk.{layer}", inner, 16, 32)


def mamba2(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner, state, heads, groups = 2 * model.width, 64, 16, 2
    writer.add_head_count(0)
    add_state_space(writer, inner, state, heads, groups)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm")
        model.add(f"{name}.ssm_in.weight", model.width, 2 * inner + 2 * groups * state + heads)
        model.add(f"{name}.ssm_conv1d.weight", 4, inner + 2 * groups * state)
        model.add(f"{name}.ssm_conv1d.bias", inner + 2 * groups * state)
        model.add(f"{name}.ssm_dt.bias", heads)
        model.add(f"{name}.ssm_a", 1, heads)
        model.add(f"{name}.ssm_d", 1, heads)
        model.add(f"{name}.ssm_norm.weight", inner // groups, groups)
        model.add(f"{name}.ssm_out.weight", inner, model.width)


def jamba(writer: gguf.GGUFWriter, model: Sized) -> None:
    inner, state, rank = 2 * model.width, 16, 32
    attends = [layer % 4 == 2 for layer in range(model.layers)]
    attention(writer, model, [model.kv_heads if here else 0 for here in attends])
    add_state_space(writer, inner, state, rank, 0)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(2)
    for layer, here in enumerate(attends):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        if here:
            attend(model, name)
        else:
            state_space(model, name, inner, state, rank)
            for part, length in (("dt", rank), ("b", state), ("c", state)):
                model.add(f"{name}.ssm_{part}_norm.weight", length)
        if model.experts and layer % 2:
            feed_experts(model, name, model.forward)
        else:
            feed(model, name)


def lfm2(writer: gguf.GGUFWriter, model: Sized) -> None:
    attends = [layer % 3 == 2 for layer in range(model.layers)]
    attention(writer, model, [model.kv_heads if here else 0 for here in attends])
    writer.add_shortconv_l_cache(3)
    for layer, here in enumerate(attends):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        if here:
            attend(model, name, norm=True)
        else:
            model.add(f"{name}.shortconv.conv.weight", 3, model.width)
            model.add(f"{name}.shortconv.in_proj.weight", model.width, 3 * model.width)
            model.add(f"{name}.shortconv.out_proj.weight", model.width, model.width)
        feed(model, name)


def qwen35(writer: gguf.GGUFWriter, model: Sized) -> None:
    """Three delta networks to each gated attention."""
    state, groups, heads = 64, 4, 8
    inner, joined = state * heads, 2 * state * groups + state * heads
    attention(writer, model)
    writer.add_key_length(model.head)
    writer.add_value_length(model.head)
    writer.add_full_attention_interval(4)
    writer.add_rope_dimension_sections([8, 8, 8, 8])
    add_state_space(writer, inner, state, heads, groups)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "post_attention_norm")
        if layer % 4 == 3:
            attend(model, name, norm=True, gated=True)
        else:
            model.add(f"{name}.attn_qkv.weight", model.width, joined)
            model.add(f"{name}.attn_gate.weight", model.width, inner)
            model.add(f"{name}.ssm_conv1d.weight", 4, joined)
            model.add(f"{name}.ssm_dt.bias", heads)
            model.add(f"{name}.ssm_a", heads)
            model.add(f"{name}.ssm_beta.weight", model.width, heads)
            model.add(f"{name}.ssm_alpha.weight", model.width, heads)
            model.add(f"{name}.ssm_norm.weight", state)
            model.add(f"{name}.ssm_out.weight", inner, model.width)
        feed(model, name)
