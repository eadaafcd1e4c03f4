"""Parts that many architectures share."""

from __future__ import annotations

import gguf

from tests.sized.model import Sized


def attention(
    writer: gguf.GGUFWriter, model: Sized, kv_heads: int | list[int] | None = None
) -> None:
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads if kv_heads is None else kv_heads)
    writer.add_rope_dimension_count(model.head)


def attend(
    model: Sized, name: str, *, bias: bool = False, norm: bool = False, gated: bool = False
) -> None:
    queries, keys = model.heads * model.head, model.kv_heads * model.head
    for part, width in (("q", 2 * queries if gated else queries), ("k", keys), ("v", keys)):
        model.add(f"{name}.attn_{part}.weight", model.width, width)
        if bias:
            model.add(f"{name}.attn_{part}.bias", width)
    model.add(f"{name}.attn_output.weight", queries, model.width)
    if norm:
        model.add(f"{name}.attn_q_norm.weight", model.head)
        model.add(f"{name}.attn_k_norm.weight", model.head)


def feed(model: Sized, name: str) -> None:
    model.add(f"{name}.ffn_gate.weight", model.width, model.forward)
    model.add(f"{name}.ffn_up.weight", model.width, model.forward)
    model.add(f"{name}.ffn_down.weight", model.forward, model.width)


def feed_experts(model: Sized, name: str, forward: int) -> None:
    model.add(f"{name}.ffn_gate_inp.weight", model.width, model.experts)
    model.add(f"{name}.ffn_gate_exps.weight", model.width, forward, model.experts)
    model.add(f"{name}.ffn_up_exps.weight", model.width, forward, model.experts)
    model.add(f"{name}.ffn_down_exps.weight", forward, model.width, model.experts)


def norms(model: Sized, name: str, *parts: str) -> None:
    for part in parts:
        model.add(f"{name}.{part}.weight", model.width)


def add_state_space(
    writer: gguf.GGUFWriter, inner: int, state: int, rank: int, groups: int
) -> None:
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_ssm_group_count(groups)


def state_space(model: Sized, name: str, inner: int, state: int, rank: int) -> None:
    model.add(f"{name}.ssm_in.weight", model.width, 2 * inner)
    model.add(f"{name}.ssm_conv1d.weight", 4, inner)
    model.add(f"{name}.ssm_conv1d.bias", inner)
    model.add(f"{name}.ssm_x.weight", inner, rank + 2 * state)
    model.add(f"{name}.ssm_dt.weight", rank, inner)
    model.add(f"{name}.ssm_dt.bias", inner)
    model.add(f"{name}.ssm_a", state, inner)
    model.add(f"{name}.ssm_d", inner)
    model.add(f"{name}.ssm_out.weight", inner, model.width)
