"""The buffer in which llama.cpp computes, found by laying out the graph that it reserves it for.

What a block is made of is told by the tensors that the file has for it. Sources: llama.cpp
`src/models/` and `llama_context::sched_reserve` in `src/llama-context.cpp`.
"""

from __future__ import annotations

from lmnb.models.memory.allocator import buffer_size
from lmnb.models.memory.attention import attention, latent_attention
from lmnb.models.memory.blueprint import Blueprint, Layer, Tensors
from lmnb.models.memory.forward import feed_forward, feeds_forward
from lmnb.models.memory.graph import Graph
from lmnb.models.memory.recurrence import short_convolution, state_space, unknown
from lmnb.models.memory.shape import LoadShape

__all__ = ["compute_size"]

_ENOUGH = 4
"""Layers from either end that are looked at: what those between need repeats itself."""


def compute_size(
    model: Blueprint, shape: LoadShape, layers: tuple[Layer, ...], *, output: bool = True
) -> int:
    """Bytes in which these layers are computed, and after them, if it is here, the output."""
    if len(layers) > 2 * _ENOUGH:
        layers = layers[:_ENOUGH] + layers[-_ENOUGH:]
    graph = Graph(model, shape)
    x = _embedding(graph)
    for layer in layers:
        x = _layer(graph, x, layer, last=output and layer is layers[-1])
    if output:
        _output(graph, x)
    return buffer_size(graph.nodes)


def _embedding(graph: Graph) -> int:
    model, size = graph.model, graph.model.width * graph.tokens
    x = graph.node(size, graph.ids)
    if "output_norm.weight" in model.others or not model.cached:
        # Else this is what LFM2 calls the norm of its output.
        x = graph.norm(x, model.others, "token_embd_norm", size)
    scaled = model.info.architecture.startswith("gemma")
    return graph.node(size, x, in_place=True) if scaled else x


def _layer(graph: Graph, x: int, layer: Layer, *, last: bool) -> int:
    tensors, rows, width = layer.tensors, graph.tokens, graph.model.width
    normed = graph.norm(x, tensors, "attn_norm", width * rows)
    y = _mixed(graph, normed, layer)
    if last:
        rows = graph.outputs
    size = width * rows
    if last and not graph.shape.vectors:  # of which every token has an output
        y, x = graph.node(size, y, graph.rows), graph.node(size, x, graph.rows)
    y = graph.norm(y, tensors, "post_attention_norm", size)
    if _parallel(tensors):
        y = graph.node(size, feed_forward(graph, normed, layer, rows), y, in_place=True)
        return graph.node(size, y, x, in_place=True)
    y = graph.node(size, y, x, in_place=True)
    y = graph.norm(y, tensors, "attn_output_norm", size)
    if not feeds_forward(tensors):
        return y
    z = graph.norm(y, tensors, "ffn_norm", size)
    z = feed_forward(graph, z, layer, rows)
    z = graph.norm(z, tensors, "post_ffw_norm", size)
    y = graph.node(size, z, y, in_place=True)
    return graph.norm(y, tensors, "layer_output_norm", size)


def _mixed(graph: Graph, x: int, layer: Layer) -> int:
    """What a layer takes from other tokens."""
    tensors = layer.tensors
    if "ssm_in.weight" in tensors and layer.state:
        return state_space(graph, x, layer)
    if layer.state and "shortconv.in_proj.weight" not in tensors:
        return unknown(graph, x, layer)
    if "shortconv.in_proj.weight" in tensors:
        return short_convolution(graph, x, layer)
    if "attn_kv_a_mqa.weight" in tensors and graph.masks:
        return latent_attention(graph, x, layer)
    if layer.key_width or ("attn_output.weight" in tensors and not graph.model.recurrent):
        return attention(graph, x, layer)
    return x


def _output(graph: Graph, x: int) -> None:
    """Vectors are computed beside the logits, not instead of them; an encoder has none."""
    model = graph.model
    x = graph.norm(x, model.others, "output_norm", model.width * graph.outputs)
    if not graph.shape.vectors or model.cached:
        graph.node(model.vocabulary * graph.outputs, x)


def _parallel(tensors: Tensors) -> bool:
    """Attention and feed-forward read the same: no norm stands between them."""
    between = ("ffn_norm.weight", "post_attention_norm.weight", "attn_output_norm.weight")
    return (
        "attn_output.weight" in tensors
        and feeds_forward(tensors)
        and not any(name in tensors for name in between)
    )
