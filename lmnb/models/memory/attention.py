"""Attention as nodes of a graph: over separate keys and values, or over one compressed vector."""

from __future__ import annotations

from lmnb.models.memory.blueprint import Layer, Tensors
from lmnb.models.memory.cache import window_cells
from lmnb.models.memory.graph import Graph

__all__ = ["attention", "latent_attention"]


def attention(graph: Graph, x: int, layer: Layer) -> int:
    """Each head compares its queries with the keys of all tokens."""
    tensors, tokens = layer.tensors, graph.tokens
    queries = graph.model.heads[layer.index] * graph.model.head_length * tokens
    keys, values = layer.key_width * tokens, layer.value_width * tokens
    if "attn_qkv.weight" in tensors:
        joined, _ = graph.product(x, tensors, "attn_qkv", tokens)
        q = graph.turn(graph.node(queries, joined, graph.positions), queries, keys=True)
        v = graph.turn(joined, values, keys=False)
        k = graph.turn(graph.node(keys, joined, graph.positions), keys, keys=True)
    else:
        q = _head(graph, x, tensors, "attn_q")
        v, values = graph.product(x, tensors, "attn_v", tokens)
        v = graph.turn(v, values, keys=False)
        k = _head(graph, x, tensors, "attn_k")
    y = _attend(graph, q, k, v, layer)
    return graph.product(y, tensors, "attn_output", tokens)[0]


def _head(graph: Graph, x: int, tensors: Tensors, name: str) -> int:
    """Queries or keys, with their positions in them."""
    y, count = graph.product(x, tensors, name, graph.tokens)
    y = graph.norm(y, tensors, f"{name}_norm", count, reshaped=True)
    y = graph.node(count, y, graph.positions, in_place=f"{name}_norm.weight" in tensors)
    return graph.turn(y, count, keys=True)


def _attend(graph: Graph, q: int, k: int, v: int, layer: Layer) -> int:
    model, tokens = graph.model, graph.tokens
    heads = graph.model.heads[layer.index]
    values = heads * model.value_length * tokens
    if not layer.key_width and not model.cached:
        mask, _, _ = graph.masks[layer.windowed]
        return _scores(graph, q, mask, (k, v), heads, graph.tokens, values)
    mask, key_places, value_places = graph.masks[layer.windowed]
    graph.store(k, key_places)
    if layer.value_width:
        graph.store(v, value_places)
    cells = window_cells(model, graph.shape) if layer.windowed else graph.shape.cells
    y = _scores(graph, q, mask, (), heads, cells, values)
    return graph.turn(y, values, keys=False)


def _scores(
    graph: Graph, q: int, mask: int, own: tuple[int, ...], heads: int, cells: int, values: int
) -> int:
    if graph.shape.flash_attention:
        return graph.node(values, q, *own, mask)
    scores = graph.node(cells * heads * graph.tokens, q, *own[:1])
    scores = graph.node(cells * heads * graph.tokens, scores, mask, in_place=True)
    return graph.node(values, graph.node(values, scores, *own[1:]))


def latent_attention(graph: Graph, x: int, layer: Layer) -> int:
    """DeepSeek's: queries are compared with one compressed vector."""
    model, tensors, tokens = graph.model, layer.tensors, graph.tokens
    if "attn_q_a.weight" in tensors:
        q, count = graph.product(x, tensors, "attn_q_a", tokens)
        q = graph.norm(q, tensors, "attn_q_a_norm", count)
        q, _ = graph.product(q, tensors, "attn_q_b", tokens)
    else:
        q, _ = graph.product(x, tensors, "attn_q", tokens)
    heads = graph.model.heads[layer.index]
    rank = graph.width(tensors, "attn_kv_a_norm", -1)
    rope = max(graph.width(tensors, "attn_kv_a_mqa", -1) - rank, 0)
    absorbed = graph.node(heads * rank * tokens, q)
    q_turned = graph.node(heads * rope * tokens, q, graph.positions)
    query = graph.node(heads * (rank + rope) * tokens, absorbed, q_turned)
    joined, _ = graph.product(x, tensors, "attn_kv_a_mqa", tokens)
    compressed = graph.node(rank * tokens, joined)
    compressed = graph.node(rank * tokens, compressed, in_place=True)
    k_turned = graph.node(rope * tokens, joined, graph.positions)
    key = graph.node((rank + rope) * tokens, compressed, k_turned)
    mask, key_places, _ = graph.masks[False]
    graph.store(key, key_places)
    y = _scores(graph, query, mask, (), heads, graph.shape.cells, heads * rank * tokens)
    values = heads * model.value_length * tokens
    y = graph.node(values, graph.node(values, y))
    return graph.product(y, tensors, "attn_output", tokens)[0]
