"""What a guardrail says of a load."""

from __future__ import annotations

from lmnb.errors import InvalidRequest
from lmnb.models.memory.arithmetic import size
from lmnb.models.memory.fit import GUARDRAILS, Guardrail, Load, required
from lmnb.models.store.store import ModelRecord

__all__ = ["guardrail_named", "refusal"]


def guardrail_named(name: str | None, default: Guardrail) -> Guardrail:
    """Raises InvalidRequest."""
    for guardrail in GUARDRAILS:
        if name == guardrail:
            return guardrail
    if name is None:
        return default
    raise InvalidRequest(
        f"'guardrail' is one of {', '.join(GUARDRAILS)}, not {name!r}.", param="guardrail"
    )


def refusal(record: ModelRecord, load: Load, longest: int) -> str:
    """Why it may not be loaded so: both numbers, and what would fit. Empty: it may. `longest`: the
    context that would fit."""
    wanted = load.needs()
    rooms = load.rooms
    short = rooms.short_of(wanted) if rooms.guardrail != "off" else None
    if short is None:
        return ""
    device = short.device
    room = rooms.of(device)
    place = device.name if device.kind == "gpu" else "main memory"
    lines = [
        f"'{record.id}' needs {size(required(device, wanted))} of {place}, and may take "
        f"{size(room)}: {size(device.free)} of {size(device.total)} are free, less what the guardrail "
        f"'{rooms.guardrail}' leaves alone and what models in memory will still take."
    ]
    ways = []
    if 0 < longest < load.shape.context:
        ways.append(f"a context of {longest} tokens")
    layers = load.most_layers()
    if layers is not None and layers < load.shape.gpu_layers:
        ways.append(f"{layers} of {load.all_layers} layers on the GPU")
    weights = sum(need.weights for need in wanted)
    left = room - (short.total - short.weights)
    if not ways and 0 < left < short.weights and record.info.parameters:
        bits = left * 8 / record.info.parameters * weights / max(1, short.weights)
        ways.append(f"a quantisation of at most {bits:.1f} bits a weight")
    if rooms.reserved:
        ways.append("other models unloaded")
    if ways:
        lines.append(f"It would fit with {' or '.join(ways)}.")
    lines.append("'guardrail': 'off' loads it anyway.")
    return " ".join(lines)
