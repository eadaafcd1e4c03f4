"""How an estimate comes about, in lines that a reader can check."""

from __future__ import annotations

from collections import Counter

from lmnb.models.gguf.quants import TENSOR_TYPES
from lmnb.models.memory.cache import cache_size, window_cells
from lmnb.models.memory.fit import PROCESS_BYTES, Load
from lmnb.models.memory.need import Need

__all__ = ["arithmetic", "size"]


def size(count: int) -> str:
    """Bytes for people: `97.7 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.2f} GiB"


def arithmetic(load: Load, wanted: tuple[Need, ...]) -> tuple[str, ...]:
    """Of each part, what it is made of; then the sum of each device."""
    return (
        _weights(load, wanted),
        *_caches(load),
        *_states(load),
        _compute(load),
        *(_sum(need) for need in wanted),
        f"beside that, the engine's process itself takes about {size(PROCESS_BYTES)} of main memory",
    )


def _weights(load: Load, wanted: tuple[Need, ...]) -> str:
    model = load.model
    tensors = sum(len(header.tensors) for header in model.headers)
    spare = sum(need.spare for need in wanted)
    line = f"weights: {tensors} tensors, {size(model.info.tensor_bytes)} in the file"
    if not spare:
        return line
    return (
        f"{line}, {size(spare)} of them twice: this processor keeps them in an order of its own; "
        "their pages of the file are read once, and the system may take them back"
    )


def _caches(load: Load) -> list[str]:
    """One line for all layers that keep the same."""
    model, shape = load.model, load.shape
    kinds = Counter(
        (layer.windowed, layer.key_width, layer.value_width)
        for layer in model.layers
        if layer.key_width
    )
    lines = []
    for (windowed, keys, values), count in kinds.items():
        layer = next(
            one
            for one in model.layers
            if (one.windowed, one.key_width, one.value_width) == (windowed, keys, values)
        )
        cells = window_cells(model, shape) if windowed else shape.cells
        streams = f" x {shape.streams} caches" if shape.streams > 1 else ""
        what = f"{keys} {TENSOR_TYPES[shape.key_type].name} keys"
        if values:
            what += f" + {values} {TENSOR_TYPES[shape.value_type].name} values"
        window = f", window {model.window}" if windowed else ""
        lines.append(
            f"KV cache: {count} layers{window} x {cells} cells{streams} x ({what}) = "
            f"{size(count * cache_size(model, shape, layer))}"
        )
    return lines


def _states(load: Load) -> list[str]:
    states = [layer.state for layer in load.model.layers if layer.state]
    if not states:
        return []
    total = 4 * sum(states) * load.shape.lanes
    return [
        f"states: {len(states)} recurrent layers x {load.shape.lanes} sequences, "
        f"{size(4 * max(states))} each = {size(total)}"
    ]


def _compute(load: Load) -> str:
    model, shape = load.model, load.shape
    attention = "with" if shape.flash_attention else "without"
    return (
        f"compute: the graph of {shape.tokens} tokens at {shape.cells} cells {attention} flash "
        f"attention, and {shape.outputs(model.vocabulary)} rows of {model.vocabulary} logits"
    )


def _sum(need: Need) -> str:
    parts = [
        f"{size(count)} {name}"
        for name, count in (
            ("weights", need.weights),
            ("cache", need.cache),
            ("compute", need.compute),
            ("files beside the model", need.projector),
        )
        if count
    ]
    return f"{need.device.name}: {' + '.join(parts) or 'nothing'} = {size(need.total)}"
