"""What one load would take, and whether it may."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from lmnb.engine.options import LoadOptions
from lmnb.models.fit import Fit
from lmnb.models.memory.arithmetic import arithmetic
from lmnb.models.memory.fit import Guardrail, Load
from lmnb.models.memory.need import Need
from lmnb.models.store.store import ModelRecord
from lmnb.service.guardrail import refusal
from lmnb.service.shapes import shape_of

__all__ = ["Estimate", "estimate_of"]

HOST_SHARE = 3
"""Evicted conversations are kept in host memory up to this part of what the KV cache takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Bytes. `options`: with which it would be loaded, what was left open settled for this machine.
    `reason`: why the guardrail refuses it; empty if it does not."""

    record: ModelRecord
    options: LoadOptions
    needs: tuple[Need, ...]
    fit: Fit
    guardrail: Guardrail
    reason: str
    max_context_length: int
    automatic_layers: int
    automatic_context: int
    layers: int
    """Of the model, the output counted as one."""
    host_cache: int
    """Main memory that evicted conversations may take besides, as they come."""
    arithmetic: tuple[str, ...]

    @property
    def total(self) -> int:
        return sum(need.total for need in self.needs)

    @property
    def allowed(self) -> bool:
        return not self.reason


def estimate_of(record: ModelRecord, options: LoadOptions, load: Load) -> Estimate:
    """What `load` takes, with what `options` leave open settled."""
    layers, context = load.automatic()
    settled = options
    if options.gpu == "auto" and load.rooms.machine.gpus:
        settled = msgspec.structs.replace(settled, gpu=layers)
    if options.context_length is None and context < load.shape.context:
        settled = msgspec.structs.replace(settled, context_length=context)
    if settled != options:
        load = replace(load, shape=shape_of(record.info, settled))
    wanted = load.needs()
    longest = load.longest_context()
    cache = sum(need.cache for need in wanted)
    mib = options.host_cache_mib
    return Estimate(
        record=record,
        options=settled,
        needs=wanted,
        fit=load.fit(),
        guardrail=load.rooms.guardrail,
        reason=refusal(record, load, longest),
        max_context_length=longest,
        automatic_layers=layers,
        automatic_context=context,
        layers=load.all_layers,
        host_cache=cache // HOST_SHARE if mib is None else mib << 20,
        arithmetic=arithmetic(load, wanted),
    )
