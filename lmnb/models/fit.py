"""Whether a model that is not here yet would fit, and which of its quantisations to take.

The rule is rough, for all that is known is the size of the files:

    needed = 1.1 x files + cache
    cache  = 4,096 tokens x 40 KiB x sqrt(billions of parameters)

The tenth is for compute buffers. The cache of models in use since 2024 takes some 25 KiB a token at
1 billion parameters, 130 at 8 and 320 at 70. What is here already is estimated from its header.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmnb.models.hub.variants import Variant
from lmnb.models.memory.need import Machine
from lmnb.models.quant_names import BALANCE, balance, weight_bits

__all__ = ["ANY", "Fit", "Memory", "fit", "needed", "parameters_of", "recommended"]

Fit = Literal["full_gpu", "partial_gpu", "cpu", "too_large"]

OVERHEAD = 1.1
CONTEXT = 4096
CACHE_PER_TOKEN = 40 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """What a model may take now, in bytes. `gpu` 0: there is none."""

    gpu: int
    ram: int

    @classmethod
    def of(cls, machine: Machine) -> Memory:
        """What is free. Memory that a GPU shares with the processor counts once, as the GPU's."""
        gpu = sum(one.free for one in machine.gpus)
        shared = sum(one.free for one in machine.gpus if one.shared)
        return cls(gpu, max(0, machine.cpu.free - shared))


ANY = Memory(0, 1 << 62)
"""Room for any model."""


def needed(size_bytes: int, parameters: int, projector_bytes: int = 0) -> int:
    """Bytes that a model of that size takes with a context of 4,096 tokens."""
    cache = CONTEXT * CACHE_PER_TOKEN * math.sqrt(parameters / 1e9)
    return round((size_bytes + projector_bytes) * OVERHEAD + cache)


def parameters_of(variant: Variant) -> int:
    """Guessed from size and quantisation."""
    return round(variant.size_bytes * 8 / (weight_bits(variant.quant) or 8))


def fit(need: int, memory: Memory) -> Fit:
    """Where `need` bytes find room."""
    if memory.gpu:
        if need <= memory.gpu:
            return "full_gpu"
        return "partial_gpu" if need <= memory.gpu + memory.ram else "too_large"
    return "cpu" if need <= memory.ram else "too_large"


def recommended(variants: Sequence[Variant], memory: Memory, parameters: int = 0) -> Variant | None:
    """The first in `BALANCE` that fits wholly into the GPU's memory, or the machine's where there
    is no GPU; else the first that fits at all; else, of those with fewer bits, the largest that
    fits. None: none does.
    """

    def room(variant: Variant) -> Fit:
        return fit(needed(variant.size_bytes, parameters or parameters_of(variant)), memory)

    fitting = [one for one in variants if room(one) != "too_large"]
    balanced = sorted(
        (one for one in fitting if balance(one.quant) < len(BALANCE)),
        key=lambda one: (balance(one.quant), one.quant),
    )
    whole = [one for one in balanced if room(one) in ("full_gpu", "cpu")]
    smaller = sorted(fitting, key=lambda one: -one.size_bytes)
    return next(iter((*whole, *balanced, *smaller)), None)
