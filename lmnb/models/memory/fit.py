"""Whether a load fits, where, and what would: fewer layers on the GPU, a shorter context.

A guardrail leaves a share of each device's memory alone; so does the process that llama.cpp runs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from lmnb.models.fit import Fit
from lmnb.models.memory.blueprint import Blueprint
from lmnb.models.memory.need import Device, Machine, Need, needs
from lmnb.models.memory.shape import CELLS, LoadShape

__all__ = ["GUARDRAILS", "Guardrail", "Load", "Rooms", "required"]

Guardrail = Literal["strict", "balanced", "relaxed", "off"]
GUARDRAILS: tuple[Guardrail, ...] = get_args(Guardrail)

_LEFT_ALONE: dict[Guardrail, float] = {"strict": 0.2, "balanced": 0.1, "relaxed": 0.0, "off": 0.0}
"""Of a device's whole memory."""
PROCESS_BYTES = 96 << 20
"""Of an engine's process without weights, cache and buffers: Python, numpy, llama.cpp's code, the
vocabulary. Measured: 50 MiB with 400 tokens, 95 with 262,144."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """How much of each device a load may take. `reserved`: what models in memory will still take of
    the main memory as their caches fill."""

    machine: Machine
    guardrail: Guardrail
    reserved: int = 0

    def of(self, device: Device) -> int:
        room = device.free - round(_LEFT_ALONE[self.guardrail] * device.total)
        if device.kind == "cpu" or device.shared:
            room -= self.reserved
        return max(0, room - PROCESS_BYTES if device.kind == "cpu" else room)

    def short_of(self, wanted: Sequence[Need]) -> Need | None:
        """The first device on which there is too little."""
        for need in wanted:
            if required(need.device, wanted) > self.of(need.device):
                return need
        return None


def required(device: Device, wanted: Sequence[Need]) -> int:
    """Bytes that must be free on a device; of the main memory, for the GPUs that share it too."""
    if not _is_main(device):
        return sum(need.total for need in wanted if need.device == device)
    return sum(need.total - need.spare for need in wanted if _is_main(need.device))


def _is_main(device: Device) -> bool:
    return device.kind == "cpu" or device.shared


@dataclass(frozen=True, slots=True)
class Load:
    """One model, loaded in one way; and how else it could be."""

    model: Blueprint
    shape: LoadShape
    rooms: Rooms
    projector: int = 0
    adapters: int = 0

    def needs(self, shape: LoadShape | None = None) -> tuple[Need, ...]:
        return needs(
            self.model,
            shape or self.shape,
            self.rooms.machine,
            projector=self.projector,
            adapters=self.adapters,
        )

    def fits(self, shape: LoadShape | None = None) -> bool:
        return self.rooms.short_of(self.needs(shape)) is None

    @property
    def all_layers(self) -> int:
        """With the output."""
        return len(self.model.layers) + 1

    def fit(self) -> Fit:
        """The best place for it, with as many layers on GPUs as these hold."""
        most = self.most_layers()
        if most is None:
            return "too_large"
        return "cpu" if not most else "full_gpu" if most >= self.all_layers else "partial_gpu"

    def most_layers(self) -> int | None:
        """Most layers on GPUs with which it fits. None: with none of them does it."""
        low, high = 0, self.all_layers if self.rooms.machine.gpus else 0
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._gpus_hold(middle) else (low, middle - 1)
        return low if self.fits(replace(self.shape, gpu_layers=low)) else None

    def _gpus_hold(self, layers: int) -> bool:
        wanted = self.needs(replace(self.shape, gpu_layers=layers))
        return all(need.total <= self.rooms.of(need.device) for need in wanted[1:])

    def longest_context(self, *, any_layers: bool = False) -> int:
        """Most tokens with which it fits, up to what the model was made for; 0: with none does it.
        `any_layers`: with as few layers on GPUs as that takes."""
        most = max(self.model.info.context_length or self.shape.context, CELLS)
        low, high = 0, -(-most // CELLS)
        middle = high  # all of it is the likeliest
        while low < high:
            shape = self.shape.with_context(middle * CELLS)
            if any_layers:
                shape = replace(shape, gpu_layers=0)
            low, high = (middle, high) if self.fits(shape) else (low, middle - 1)
            middle = (low + high + 1) // 2
        return min(low * CELLS, most)

    def automatic(self) -> tuple[int, int]:
        """(layers on GPUs, context): this context with as many layers as fit, else the longest
        context that fits without GPUs. As it is, where nothing fits."""
        if (layers := self.most_layers()) is not None:
            return layers, self.shape.context
        context = min(self.longest_context(any_layers=True), self.shape.context)
        return (0, context) if context else (self.shape.gpu_layers, self.shape.context)
