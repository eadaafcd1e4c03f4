"""Feed-forward networks as nodes of a graph: dense ones, and experts."""

from __future__ import annotations

from lmnb.models.memory.blueprint import Layer, Tensors
from lmnb.models.memory.graph import Graph

__all__ = ["feed_forward", "feeds_forward"]

MAX_EXPERTS = 1024
"""More than any model has that llama.cpp loads."""


def feed_forward(graph: Graph, x: int, layer: Layer, rows: int) -> int:
    """For so many tokens."""
    tensors = layer.tensors
    if "ffn_down_exps.weight" in tensors:
        y = _experts(graph, x, layer, rows)
        if "ffn_up_shexp.weight" in tensors:
            shared = _dense(graph, x, tensors, "_shexp", rows)
            y = graph.node(graph.model.width * rows, y, shared, in_place=True)
        return y
    return _dense(graph, x, tensors, "", rows)


def _dense(graph: Graph, x: int, tensors: Tensors, kind: str, rows: int) -> int:
    if f"ffn_gate{kind}.weight" in tensors:
        gate, count = graph.product(x, tensors, f"ffn_gate{kind}", rows)
        up, _ = graph.product(x, tensors, f"ffn_up{kind}", rows)
        hidden = graph.node(count, gate, up)
    else:
        up, count = graph.product(x, tensors, f"ffn_up{kind}", rows)
        gated = graph.width(tensors, f"ffn_down{kind}", 0) * rows < count
        hidden = graph.node(count // 2, up) if gated else graph.node(count, up, in_place=True)
    return graph.product(hidden, tensors, f"ffn_down{kind}", rows)[0]


def _experts(graph: Graph, x: int, layer: Layer, rows: int) -> int:
    tensors, used = layer.tensors, min(max(1, layer.experts_used), MAX_EXPERTS)
    logits, count = graph.product(x, tensors, "ffn_gate_inp", rows)
    scores = graph.node(count, logits, in_place=True)
    biased = graph.node(count, scores) if "exp_probs_b.bias" in tensors else scores
    order = graph.node(count, biased)
    weights = graph.node(used * rows, scores, order)
    total = graph.node(rows, weights)
    weights = graph.node(used * rows, weights, total)
    up_name = "ffn_gate_up_exps" if "ffn_gate_up_exps.weight" in tensors else "ffn_up_exps"
    hidden_size = graph.width(tensors, "ffn_down_exps", 0) * used * rows
    up_size = graph.width(tensors, up_name, 1) * used * rows
    if "ffn_gate_exps.weight" in tensors:
        gate = graph.node(up_size, x, order)
        hidden = graph.node(hidden_size, gate, graph.node(up_size, x, order))
    else:
        hidden = graph.node(hidden_size, graph.node(up_size, x, order))
    wide = graph.model.width * used * rows
    outputs = graph.node(wide, graph.node(wide, hidden, order), weights, in_place=True)
    y = graph.node(graph.model.width * rows, outputs, outputs)
    for _ in range(used - 2):
        y = graph.node(graph.model.width * rows, y, outputs, in_place=True)
    return y


def feeds_forward(tensors: Tensors) -> bool:
    """Has a layer with these tensors a feed-forward network?"""
    return "ffn_up.weight" in tensors or "ffn_down_exps.weight" in tensors
