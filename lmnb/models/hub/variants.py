"""Which of a repository's files belong together: a model in one quantisation, projector, adapter.

Names are all there is to go by: the Hub does not say what is inside a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from lmnb.models.hub.repository import HubFile
from lmnb.models.names import Shard, shard_of
from lmnb.models.quant_names import canonical, is_quant, split_quant

__all__ = ["Adapter", "Contents", "Projector", "Variant", "contents"]

_ADAPTER = re.compile(r"(?:^|[-._])lora(?:[-._]|$)", re.IGNORECASE)
_STATISTICS = re.compile(r"(?:^|[-._])imatrix(?:[-._]|$)", re.IGNORECASE)
"""An importance matrix: what a quantiser weighed the weights with."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A model in one quantisation (`Q4_K_M`; "" where its name says none): all its files, in order.

    `model` tells several models of one repository apart.
    """

    model: str
    quant: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Projector:
    """The half of a model that sees or hears (mmproj)."""

    quant: str
    file: HubFile


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA: changes to a model's weights."""

    quant: str
    file: HubFile


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in a repository that has to do with running a model. Variants by size."""

    variants: tuple[Variant, ...] = ()
    projectors: tuple[Projector, ...] = ()
    adapters: tuple[Adapter, ...] = ()

    def projector(self, variant: Variant) -> Projector | None:
        """The one to use with `variant`: of the same model where several are here, in 16 bits."""
        if not self.projectors:
            return None
        model = variant.model.lower()
        own = [one for one in self.projectors if model in one.file.path.lower()]
        several = len({other.model.lower() for other in self.variants}) > 1
        if several and not own:
            return None
        return min(own or self.projectors, key=_projector_order)


def contents(files: Iterable[HubFile]) -> Contents:
    """What is in a repository with these files. Incomplete sets of shards are left out."""
    projectors: list[Projector] = []
    adapters: list[Adapter] = []
    sets: dict[tuple[str, str, str, int], dict[int, HubFile]] = {}
    for file in sorted(files, key=lambda file: file.path):
        path = PurePosixPath(file.path)
        if path.suffix.lower() != ".gguf":
            continue
        shard = shard_of(path.stem) or Shard(path.stem, 1, 1)
        model, quant = _model_and_quant(path.with_name(shard.stem + path.suffix))
        if "mmproj" in path.stem.lower():
            projectors.append(Projector(quant, file))
        elif _ADAPTER.search(path.stem) and "merged" not in path.stem.lower():
            adapters.append(Adapter(quant, file))
        elif quant or not _STATISTICS.search(path.stem):
            key = (str(path.parent), model, quant, shard.count)
            sets.setdefault(key, {})[shard.number] = file
    variants = [
        Variant(model, quant, tuple(shards[number] for number in sorted(shards)))
        for (_, model, quant, count), shards in sets.items()
        if sorted(shards) == list(range(1, count + 1))
    ]
    variants.sort(key=lambda one: (one.model.lower(), one.size_bytes, one.quant))
    return Contents(tuple(variants), tuple(projectors), tuple(adapters))


def _model_and_quant(path: PurePosixPath) -> tuple[str, str]:
    """From `folder/model-Q4_0.gguf`, `Q4_0/model.gguf` or `Q4_0.gguf`."""
    stem = path.stem
    if is_quant(stem):
        return "", canonical(stem)
    model, quant = split_quant(stem)
    if not quant and is_quant(path.parent.name):
        quant = path.parent.name
    return model, canonical(quant)


_PROJECTOR_ORDER = ("F16", "BF16", "Q8_0", "F32")


def _projector_order(one: Projector) -> tuple[int, str]:
    known = one.quant in _PROJECTOR_ORDER
    return _PROJECTOR_ORDER.index(one.quant) if known else len(_PROJECTOR_ORDER), one.file.path
