"""A graph while it is written down: what its nodes take, and who reads them.

Only sizes matter here. Sources: llama.cpp `src/llama-graph.cpp`.
"""

from __future__ import annotations

from lmnb.models.gguf.quants import TENSOR_TYPES
from lmnb.models.memory.allocator import Node
from lmnb.models.memory.blueprint import Blueprint, Tensors
from lmnb.models.memory.cache import window_cells
from lmnb.models.memory.shape import LoadShape

__all__ = ["Graph", "Mask"]

_FLOAT = 4
_TURN = 64
"""Values that are turned together before they are quantised."""

Mask = tuple[int, int, int]
"""Inputs of attention: who sees whom, where keys are stored, where values are."""


class Graph:
    """Nodes are listed in the order in which they are computed; a tensor is its place in the list."""

    def __init__(self, model: Blueprint, shape: LoadShape) -> None:
        self.model, self.shape = model, shape
        self.tokens = shape.tokens
        self.outputs = shape.outputs(model.vocabulary)
        self.nodes: list[Node] = []
        self.ids = self.given(self.tokens)
        self.given(model.width * self.tokens)  # the other way in, for vectors instead of ids
        self.positions = self.given(self.tokens)
        self.masks: dict[bool, Mask] = {}
        """For layers with a sliding window (true), and without."""
        if model.cached or not model.recurrent:
            self.masks[False] = self._mask(shape.cells)
            if model.mixed:
                self.masks[True] = self._mask(window_cells(model, shape))
        self.copies = self.given(shape.lanes) if model.recurrent else -1
        """Which sequence's state each goes on from."""
        self.rows = self.given(self.outputs)
        """Which tokens have an output."""

    def node(self, count: int, *sources: int, in_place: bool = False) -> int:
        """A tensor of `count` floats."""
        self.nodes.append(Node(_FLOAT * count, sources, in_place))
        return len(self.nodes) - 1

    def given(self, count: int, size: int = _FLOAT) -> int:
        """An input: `count` values of `size` bytes."""
        self.nodes.append(Node(count * size, given=True))
        return len(self.nodes) - 1

    def store(self, *sources: int) -> None:
        """A write to the cache."""
        self.nodes.append(Node(0, sources))

    def norm(
        self, x: int, tensors: Tensors, name: str, count: int, *, reshaped: bool = False
    ) -> int:
        """x normalised, or x itself if it has no norm of that name. The place of a tensor that has
        been `reshaped` is not taken over."""
        if f"{name}.weight" not in tensors:
            return x
        plain = f"{name}.bias" not in tensors  # else the mean is taken too, and never in place
        x = self.node(count, x, in_place=plain and not reshaped)
        for part in ("weight", "bias"):
            if f"{name}.{part}" in tensors:
                x = self.node(count, x, in_place=True)
        return x

    def product(self, x: int, tensors: Tensors, name: str, rows: int) -> tuple[int, int]:
        """(x times a matrix and its bias, how many floats that is for `rows` tokens)."""
        count = self.width(tensors, name, -1) * rows
        y = self.node(count, x)
        if f"{name}.bias" in tensors:
            y = self.node(count, y, in_place=True)
        return y, count

    def width(self, tensors: Tensors, name: str, axis: int) -> int:
        """A matrix takes so many numbers (axis 0) and gives so many (-1, or 1 of each expert). One
        that is not there is square."""
        tensor = tensors.get(f"{name}.weight")
        known = tensor is not None and len(tensor.shape) > max(axis, 0)
        return tensor.shape[axis] if tensor and known else self.model.width

    def turn(self, x: int, count: int, *, keys: bool) -> int:
        """Keys and values are turned before they are quantised, where their length allows it."""
        return self.node(count, x) if self._turned(keys=keys) else x

    def _turned(self, *, keys: bool) -> bool:
        kind = self.shape.key_type if keys else self.shape.value_type
        length = self.model.head_length if keys else self.model.value_length
        return TENSOR_TYPES[kind].block > 1 and length % _TURN == 0 and self.model.cached

    def _mask(self, cells: int) -> Mask:
        flash = self.shape.flash_attention
        widest = max((layer.value_width for layer in self.model.layers), default=0)
        if self._turned(keys=True):
            length = self.model.head_length
            self.given((length & -length) ** 2)
        if self._turned(keys=False):
            self.given(_TURN * _TURN)
        return (
            self.given(cells * self.tokens, 2 if flash else _FLOAT),
            self.given(self.tokens, 8),
            self.given(self.tokens * (1 if flash else max(1, widest)), 8),
        )
