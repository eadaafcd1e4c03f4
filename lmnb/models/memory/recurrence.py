"""Layers that keep a state, as nodes of a graph."""

from __future__ import annotations

from lmnb.models.memory.blueprint import Layer
from lmnb.models.memory.graph import Graph

__all__ = ["short_convolution", "state_space", "unknown"]


def state_space(graph: Graph, x: int, layer: Layer) -> int:
    """Mamba, first or second."""
    tensors, tokens, lanes = layer.tensors, graph.tokens, graph.shape.lanes
    inner = graph.width(tensors, "ssm_out", 0)
    convolved = graph.width(tensors, "ssm_conv1d", -1)
    tail = graph.node(layer.convolution * lanes, graph.copies)
    joined, _ = graph.product(x, tensors, "ssm_in", tokens)
    long = graph.node(layer.convolution * lanes + convolved * tokens, tail, joined)
    graph.store(long)
    y = graph.node(convolved * tokens, long)
    y = graph.node(convolved * tokens, y, in_place=True)
    if "ssm_x.weight" in tensors:
        facts, _ = graph.product(y, tensors, "ssm_x", tokens)
        rank = graph.width(tensors, "ssm_dt", 0)
        states = max(graph.width(tensors, "ssm_x", -1) - rank, 0) // 2
        normed = "ssm_b_norm.weight" in tensors
        steps = graph.node(rank * tokens, facts)
        steps, _ = graph.product(steps, tensors, "ssm_dt", tokens)
        others = [graph.node(states * tokens, facts) for _ in range(2)] if normed else [facts]
    else:
        steps, others = graph.node(_heads(layer) * tokens, joined), []
    states_size = (layer.state - layer.convolution) * lanes
    scanned = graph.node(inner * tokens + states_size, y, steps, *others, graph.copies)
    graph.store(scanned)
    skipped = graph.node(inner * tokens, y, in_place=True)
    summed = graph.node(inner * tokens, scanned, skipped, in_place=True)
    gate = graph.node(inner * tokens, joined)
    y = graph.node(inner * tokens, gate, summed)
    y = graph.norm(y, tensors, "ssm_norm", inner * tokens)
    return graph.product(y, tensors, "ssm_out", tokens)[0]


def _heads(layer: Layer) -> int:
    bias = layer.tensors.get("ssm_dt.bias")
    return bias.shape[0] if bias and bias.shape else 0


def short_convolution(graph: Graph, x: int, layer: Layer) -> int:
    """LFM2's."""
    tensors, tokens, lanes = layer.tensors, graph.tokens, graph.shape.lanes
    size = graph.model.width * tokens
    joined, _ = graph.product(x, tensors, "shortconv.in_proj", tokens)
    product = graph.node(size, joined, joined)
    tail = graph.node(layer.convolution * lanes, graph.copies)
    long = graph.node(layer.convolution * lanes + size, tail, product)
    graph.store(long)
    y = graph.node(size, joined, graph.node(size, long))
    return graph.product(y, tensors, "shortconv.out_proj", tokens)[0]


def unknown(graph: Graph, x: int, layer: Layer) -> int:
    """A kind that is not described here: as much as its three largest products hold at a time."""
    widths = sorted(
        tensor.shape[-1]
        for name, tensor in layer.tensors.items()
        if len(tensor.shape) == 2 and not name.startswith("ffn")
    )
    states = graph.node(layer.state * graph.shape.lanes, x)
    inner = graph.node(sum(widths[-3:]) * graph.tokens, x, states)
    return graph.node(graph.model.width * graph.tokens, inner)
