"""How much of each device's memory a load takes: weights, cache, and what computing needs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from lmnb.models.memory.blueprint import Blueprint, Layer
from lmnb.models.memory.cache import cache_size
from lmnb.models.memory.compute import compute_size
from lmnb.models.memory.shape import LoadShape
from lmnb.models.memory.weights import HostWeights, host_weights, output_size

__all__ = ["Device", "Machine", "Need", "needs"]

Kind = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Device:
    """Memory, in bytes, and what of it nobody uses. `shared`: a GPU that uses the processor's."""

    name: str
    kind: Kind
    total: int
    free: int
    shared: bool = False
    description: str = ""
    """What it is called in shops."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where models can go. `repacked`: the types of weights that its processor keeps in an order of
    its own. `reason`: why there are no GPUs, if there are none."""

    cpu: Device
    gpus: tuple[Device, ...] = ()
    repacked: frozenset[str] = frozenset()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes of one device."""

    device: Device
    layers: int
    """Blocks that are there; the output counts as one."""
    weights: int
    cache: int
    compute: int
    projector: int = 0
    spare: int = 0
    """Of the weights: pages of the file that are read once. The system may take them back."""

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + self.projector


def needs(
    model: Blueprint, shape: LoadShape, machine: Machine, *, projector: int = 0, adapters: int = 0
) -> tuple[Need, ...]:
    """Of the processor, then of each GPU. `projector` and `adapters`: bytes of their files."""
    gpus = machine.gpus if shape.gpu_layers else ()
    places = _places(model, shape, gpus)
    first_on_gpu = places.count(-1) if -1 in places else 0
    host = host_weights(model, first_on_gpu, machine.repacked, mmap=shape.mmap)
    on_host = [layer for layer, place in zip(model.layers, places, strict=False) if place < 0]
    files = projector + adapters  # on the first GPU, if there is one
    needed = [_of_host(model, shape, machine.cpu, host, on_host, places, 0 if gpus else files)]
    for number, gpu in enumerate(gpus):
        needed.append(_of_gpu(model, shape, gpu, number, places, files if number == 0 else 0))
    return tuple(needed)


def _places(model: Blueprint, shape: LoadShape, gpus: Sequence[Device]) -> list[int]:
    """The device of each layer and of the output: the number of a GPU, or -1."""
    count = len(model.layers) + 1
    offloaded = min(shape.gpu_layers, count) if gpus else 0
    weights = shape.shares[: len(gpus)] or tuple(float(gpu.free) for gpu in gpus)
    total = sum(weights) or 1.0
    bounds = [bound / total for bound in accumulate(weights)]
    return [-1] * (count - offloaded) + [
        min(bisect_right(bounds, number / offloaded), len(gpus) - 1) for number in range(offloaded)
    ]


def _of_host(
    model: Blueprint,
    shape: LoadShape,
    device: Device,
    weights: HostWeights,
    layers: list[Layer],
    places: Sequence[int],
    files: int,
) -> Need:
    caching = layers if shape.cache_on_gpu else model.layers
    alone = max(places) < 0
    further = [shape.with_context(tokens) for tokens in shape.further if alone]
    return Need(
        device=device,
        layers=sum(1 for place in places if place < 0),
        weights=weights.total,
        cache=sum(cache_size(model, shape, layer) for layer in caching),
        compute=sum(
            compute_size(model, one, tuple(layers), output=places[-1] < 0)
            + answers_size(model, one)
            for one in (shape, *further)
        ),
        projector=files,
        spare=weights.spare,
    )


def _of_gpu(
    model: Blueprint,
    shape: LoadShape,
    device: Device,
    number: int,
    places: Sequence[int],
    files: int,
) -> Need:
    layers = [layer for layer, place in zip(model.layers, places, strict=False) if place == number]
    has_output = places[-1] == number
    compute = compute_size(model, shape, tuple(layers), output=has_output)
    if any(place < 0 for place in places):
        compute += _largest_visitor(model, places)
    return Need(
        device=device,
        layers=len(layers) + has_output,
        weights=sum(layer.size for layer in layers) + (output_size(model) if has_output else 0),
        cache=sum(cache_size(model, shape, layer) for layer in layers) if shape.cache_on_gpu else 0,
        compute=compute,
        projector=files,
    )


def answers_size(model: Blueprint, shape: LoadShape) -> int:
    """The logits, or vectors, of one row a lane, where they are read."""
    numbers = model.vocabulary + (model.width if shape.vectors else 0)
    return 4 * shape.lanes * numbers


def _largest_visitor(model: Blueprint, places: Sequence[int]) -> int:
    """Weights that stay with the processor are copied to the GPU, one at a time, to read prompts."""
    staying = [layer for layer, place in zip(model.layers, places, strict=False) if place < 0]
    sizes = [tensor.size for layer in staying for tensor in layer.tensors.values()]
    if places[-1] < 0:
        sizes.append(output_size(model))
    return max(sizes, default=0)
