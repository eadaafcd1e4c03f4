"""Architectures with experts and ways of attention of their own."""

from __future__ import annotations

import gguf

from tests.sized.blocks import attend, attention, feed, feed_experts, norms
from tests.sized.model import Sized


def gpt_oss(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    writer.add_sliding_window(128)
    writer.add_expert_count(model.experts)
    writer.add_expert_used_count(4)
    writer.add_expert_feed_forward_length(model.width)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "post_attention_norm")
        attend(model, name, bias=True)
        model.add(f"{name}.attn_output.bias", model.width)
        model.add(f"{name}.attn_sinks.weight", model.heads)
        feed_experts(model, name, model.width)
        model.add(f"{name}.ffn_gate_inp.bias", model.experts)
        for part in ("gate", "up", "down"):
            model.add(f"{name}.ffn_{part}_exps.bias", model.width, model.experts)


def deepseek2(writer: gguf.GGUFWriter, model: Sized) -> None:
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
        norms(model, name, "attn_norm", "ffn_norm")
        model.add(f"{name}.attn_q_a.weight", model.width, 256)
        model.add(f"{name}.attn_q_a_norm.weight", 256)
        model.add(f"{name}.attn_q_b.weight", 256, model.heads * (plain + rope))
        model.add(f"{name}.attn_kv_a_mqa.weight", model.width, rank + rope)
        model.add(f"{name}.attn_kv_a_norm.weight", rank)
        model.add(f"{name}.attn_k_b.weight", plain, rank, model.heads)
        model.add(f"{name}.attn_v_b.weight", rank, value, model.heads)
        model.add(f"{name}.attn_output.weight", model.heads * value, model.width)
        if layer == 0:
            feed(model, name)
        else:
            feed_experts(model, name, model.forward // 2)
            model.add(f"{name}.exp_probs_b.bias", model.experts)
            for part in ("gate", "up"):
                model.add(f"{name}.ffn_{part}_shexp.weight", model.width, model.forward // 2)
            model.add(f"{name}.ffn_down_shexp.weight", model.forward // 2, model.width)
