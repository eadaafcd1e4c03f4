"""What a layer keeps of the past: the KV cache, or a recurrent state.

Sources: llama.cpp `src/llama-kv-cache.cpp`, `llama-kv-cache-iswa.cpp`, `llama-memory-recurrent.cpp`.
"""

from __future__ import annotations

from lmnb.models.gguf.quants import TENSOR_TYPES
from lmnb.models.memory.blueprint import Blueprint, Layer
from lmnb.models.memory.shape import LoadShape

__all__ = ["cache_size", "window_cells"]

_STATE_BYTES = 4


def cache_size(model: Blueprint, shape: LoadShape, layer: Layer) -> int:
    """Bytes that one layer keeps, for all cells and sequences."""
    cells = window_cells(model, shape) if layer.windowed else shape.cells
    values = layer.value_width
    if values and not shape.flash_attention:
        # Kept the other way round then, in rows as long as the longest.
        values = max(other.value_width for other in model.layers)
    row = _row(shape.key_type, layer.key_width) + _row(shape.value_type, values)
    return cells * shape.streams * row + _STATE_BYTES * layer.state * shape.lanes


def window_cells(model: Blueprint, shape: LoadShape) -> int:
    """Cells of a sliding-window layer's cache, in each stream."""
    if shape.full_window:
        return shape.cells
    lanes = shape.lanes if shape.unified else 1
    return shape.padded(min(shape.cells, model.window * lanes + shape.largest_step))


def _row(kind: int, width: int) -> int:
    """Bytes of one token's keys or values."""
    return width * TENSOR_TYPES[kind].block_bytes // TENSOR_TYPES[kind].block
