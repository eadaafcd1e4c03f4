"""Architectures that attend, with one feed-forward network a layer."""

from __future__ import annotations

import gguf

from tests.sized.blocks import attend, attention, feed, feed_experts, norms
from tests.sized.model import Sized


def llama(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(2)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        attend(model, name)
        if model.experts:
            feed_experts(model, name, model.forward)
        else:
            feed(model, name)


def qwen2(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        attend(model, name, bias=True)
        feed(model, name)


def qwen3(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(4)
        writer.add_expert_feed_forward_length(model.forward // 2)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        attend(model, name, norm=True)
        if model.experts:
            feed_experts(model, name, model.forward // 2)
        else:
            feed(model, name)


def gemma(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    writer.add_key_length(model.head)
    writer.add_value_length(model.head)
    writer.add_sliding_window(512)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        attend(model, name, norm=model.architecture == "gemma3")
        feed(model, name)


def phi3(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm", "ffn_norm")
        model.add(
            f"{name}.attn_qkv.weight", model.width, (model.heads + 2 * model.kv_heads) * model.head
        )
        model.add(f"{name}.attn_output.weight", model.width, model.width)
        model.add(f"{name}.ffn_up.weight", model.width, 2 * model.forward)
        model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def olmo2(writer: gguf.GGUFWriter, model: Sized) -> None:
    attention(writer, model)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "post_attention_norm", "post_ffw_norm")
        attend(model, name)
        model.add(f"{name}.attn_q_norm.weight", model.width)
        model.add(f"{name}.attn_k_norm.weight", model.kv_heads * model.head)
        feed(model, name)


def falcon(writer: gguf.GGUFWriter, model: Sized) -> None:
    """Attention and feed-forward side by side."""
    attention(writer, model)
    model.add("output_norm.bias", model.width)
    for layer in range(model.layers):
        name = f"blk.{layer}"
        norms(model, name, "attn_norm")
        model.add(f"{name}.attn_norm.bias", model.width)
        model.add(
            f"{name}.attn_qkv.weight", model.width, (model.heads + 2 * model.kv_heads) * model.head
        )
        model.add(f"{name}.attn_output.weight", model.width, model.width)
        model.add(f"{name}.ffn_up.weight", model.width, model.forward)
        model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def bert(writer: gguf.GGUFWriter, model: Sized) -> None:
    """An encoder: it sees all of a text at once."""
    attention(writer, model, model.heads)
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


def gemma4(writer: gguf.GGUFWriter, model: Sized) -> None:
    """Layers that see everything have heads twice as long."""
    windowed = [layer % 6 != 5 for layer in range(model.layers)]
    attention(writer, model)
    writer.add_key_length(2 * model.head)
    writer.add_value_length(2 * model.head)
    writer.add_key_length_swa(model.head)
    writer.add_value_length_swa(model.head)
    writer.add_sliding_window(512)
    writer.add_sliding_window_pattern(windowed)
    writer.add_embedding_length_per_layer_input(0)
    model.add("rope_freqs.weight", model.head)
    for layer, short in enumerate(windowed):
        name, head = f"blk.{layer}", model.head if short else 2 * model.head
        norms(model, name, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        model.add(f"{name}.attn_q.weight", model.width, head * model.heads)
        model.add(f"{name}.attn_k.weight", model.width, head * model.kv_heads)
        model.add(f"{name}.attn_v.weight", model.width, head * model.kv_heads)
        model.add(f"{name}.attn_output.weight", head * model.heads, model.width)
        model.add(f"{name}.attn_q_norm.weight", head)
        model.add(f"{name}.attn_k_norm.weight", head)
        feed(model, name)
