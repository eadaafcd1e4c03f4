"""What a header says of the sizes inside a model: layer by layer, in numbers for one token.

Sources: llama.cpp `src/llama-hparams.cpp` and `llama_model_base::load_hparams` in
`src/llama-model.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lmnb.models.gguf.header import Header, InvalidGGUF, Tensor
from lmnb.models.gguf.info import ModelInfo, model_info
from lmnb.models.memory.kinds import caching_layers, recurrent_layers, windows
from lmnb.models.memory.metadata import Metadata

__all__ = ["Blueprint", "Layer", "Tensors", "blueprint", "layer_of"]

Tensors = dict[str, Tensor]
"""By name, without the number of the layer: `attn_q.weight`."""

_LAYER = re.compile(r"blk\.(\d+)\.(.+)")

MAX_LAYERS = 512
"""More than any model has that llama.cpp loads."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. Widths are numbers kept, or computed, for each token."""

    index: int
    tensors: Tensors = field(repr=False)
    key_width: int
    """Of its K cache; 0: it keeps none."""
    value_width: int
    windowed: bool
    state: int
    """Numbers of 4 bytes kept for each sequence, whatever its length: a recurrent layer."""
    convolution: int
    """How many of `state` are the tail of a convolution."""
    experts_used: int

    @property
    def size(self) -> int:
        return sum(tensor.size for tensor in self.tensors.values())


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All that the arithmetic needs of a model."""

    info: ModelInfo
    headers: tuple[Header, ...] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)
    others: Tensors = field(repr=False)
    """What belongs to no layer: embedding, output, their norms."""
    width: int
    vocabulary: int
    heads: tuple[int, ...]
    """Of each layer."""
    value_length: int
    """Of one head, after attention."""
    head_length: int
    """Of one head's key, as it is cached."""
    window: int
    mixed: bool
    """Attention of some layers has a cache of its own size: sliding windows."""

    @property
    def recurrent(self) -> bool:
        return any(layer.state for layer in self.layers)

    @property
    def cached(self) -> bool:
        """Is any attention cached?"""
        return any(layer.key_width for layer in self.layers)

    @property
    def tied(self) -> bool:
        """The embedding is the output's matrix too."""
        return "output.weight" not in self.others


def layer_of(tensor: Tensor) -> tuple[int | None, str]:
    """The number of its layer, and its name there; (None, name) of what belongs to none."""
    match = _LAYER.fullmatch(tensor.name)
    return (int(match[1]), match[2]) if match else (None, tensor.name)


def blueprint(headers: Sequence[Header]) -> Blueprint:
    """Of a model whose files have these headers, first file first. Raises InvalidGGUF."""
    info = model_info(headers)
    read = Metadata(headers[0], info.architecture)
    if info.layers > MAX_LAYERS:
        raise InvalidGGUF(f"claims {info.layers} layers")
    count = info.layers - min(read.number("nextn_predict_layers"), max(info.layers - 1, 0))
    others: Tensors = {}
    blocks: list[Tensors] = [{} for _ in range(count)]
    for header in headers:
        for tensor in header.tensors:
            layer, name = layer_of(tensor)
            if layer is None:
                others[name] = tensor
            elif layer < count:
                blocks[layer][name] = tensor
    heads = read.per_layer("attention.head_count", count)
    kv_heads = read.per_layer("attention.head_count_kv", count, heads)
    window, windowed = windows(read, info.architecture, count)
    recurrent = recurrent_layers(read, info.architecture, kv_heads, blocks)
    caching = caching_layers(read, info.architecture, kv_heads, recurrent)
    latent = read.number("attention.key_length_mla") > 0
    used = read.per_layer("expert_used_count", count)
    layers = []
    for index, tensors in enumerate(blocks):
        key, value = read.head_lengths(heads[index], windowed=windowed[index])
        convolution, state = read.state(heads[index]) if recurrent[index] else (0, 0)
        layers.append(
            Layer(
                index=index,
                tensors=tensors,
                key_width=kv_heads[index] * key if caching[index] else 0,
                value_width=kv_heads[index] * value if caching[index] and not latent else 0,
                windowed=windowed[index],
                state=convolution + state,
                convolution=convolution,
                experts_used=used[index],
            )
        )
    head_length, value_length = read.head_lengths(max(heads, default=0))
    embedding = others.get("token_embd.weight")
    return Blueprint(
        info=info,
        headers=tuple(headers),
        layers=tuple(layers),
        others=others,
        width=info.embedding_length,
        vocabulary=embedding.shape[-1] if embedding and embedding.shape else info.vocab_size,
        heads=heads,
        head_length=head_length,
        value_length=read.number("attention.value_length_mla") or value_length,
        window=window,
        mixed=any(windowed),
    )
