"""Which files of a repository to take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lmnb.errors import ModelNotFound
from lmnb.models.fit import ANY, Fit, Memory, fit, needed, parameters_of, recommended
from lmnb.models.hub.ranking import name_words
from lmnb.models.hub.repository import HubRepo
from lmnb.models.hub.variants import Adapter, Contents, Projector, Variant
from lmnb.models.quant_names import choose
from lmnb.models.sizes import shown
from lmnb.models.wish import Wish

__all__ = ["Pick", "pick"]

MOST_NAMED = 12
"""Quantisations or files in a sentence."""
_WHERE: dict[Fit, str] = {
    "full_gpu": "it fits into the GPU's memory",
    "partial_gpu": "it fits partly into the GPU's memory, the rest into the machine's",
    "cpu": "it fits into memory",
    "too_large": "it does not fit into memory",
}


@dataclass(frozen=True, slots=True)
class Pick:
    """`others`: the other models of the repository, where it is not certain which was meant. Not
    `fits`: nothing was asked for, and nothing that is there fits this machine."""

    variant: Variant
    why: str
    certain: bool = True
    others: tuple[Variant, ...] = ()
    fits: bool = True


def pick(repo: HubRepo, here: Contents, wish: Wish, memory: Memory | None) -> Pick:
    """The file or quantisation that `wish` names; else the one recommended for `memory` (None: as
    if there were room for any). `here`: what is in the repository.

    Raises ModelNotFound, which says what there is.
    """
    if wish.file:
        return Pick(_file(repo, here, wish.file), f"{wish.file} was asked for")
    if not here.variants:
        raise ModelNotFound(f"{repo.id} has no GGUF files.", param="model")
    models = _models(here.variants)
    own = [model for model in models if not model or model == name_words(repo.name)]
    certain = len(models) == 1 or len(own) == 1
    variants = models[own[0] if own else min(models, key=sorted)]
    others = () if certain else tuple(group[0] for group in models.values())
    if wish.quant:
        variant = _quant(repo, variants, here, wish.quant)
        return Pick(variant, f"{wish.quant} was asked for", certain, others)
    best = recommended(variants, memory or ANY, repo.facts.parameters)
    taken = best or min(variants, key=lambda one: one.size_bytes)
    return Pick(taken, _why(repo, taken, memory), certain, others, fits=best is not None)


def _models(variants: Sequence[Variant]) -> dict[frozenset[str], list[Variant]]:
    """By the words of their names: spelling and quantiser's marks make no other model."""
    models: dict[frozenset[str], list[Variant]] = {}
    for variant in variants:
        models.setdefault(name_words(variant.model), []).append(variant)
    return models


def _file(repo: HubRepo, here: Contents, path: str) -> Variant:
    """The model that has this file; a projector or an adapter by itself."""
    halves: list[Projector | Adapter] = [*here.projectors, *here.adapters]
    everything = [*here.variants, *(Variant("", one.quant, (one.file,)) for one in halves)]
    for variant in everything:
        if path.lower() in (file.path.lower() for file in variant.files):
            return variant
    there = _some(file.path for variant in everything for file in variant.files)
    raise ModelNotFound(f"{repo.id} has no usable file {path!r}. It has {there}.", param="model")


def _quant(repo: HubRepo, first: Sequence[Variant], here: Contents, wanted: str) -> Variant:
    for variants in (first, here.variants):
        quants = choose(wanted, (one.quant for one in variants))
        if quants:
            return next(one for one in variants if one.quant == quants[0])
    there = _some(dict.fromkeys(one.quant or one.files[0].path for one in here.variants))
    raise ModelNotFound(
        f"{repo.id} is not there in {wanted!r}. It is in {there}.", param="quantization"
    )


def _why(repo: HubRepo, best: Variant, memory: Memory | None) -> str:
    name = best.quant or best.files[0].path
    if memory is None:
        return f"{name} is the recommended quantisation"
    need = needed(best.size_bytes, repo.facts.parameters or parameters_of(best))
    room = f"{shown(memory.gpu)} GPU and {shown(memory.ram)} other memory are free"
    if not memory.gpu:
        room = f"{shown(memory.ram)} are free"
    place = fit(need, memory)
    kind = "the smallest" if place == "too_large" else "the recommended quantisation"
    return f"{name} is {kind}; {_WHERE[place]}: about {shown(need)}, and {room}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return (
        ", ".join(listed[:MOST_NAMED]) + (", ..." if len(listed) > MOST_NAMED else "")
        or "no GGUF file"
    )
