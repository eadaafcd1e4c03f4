"""Which of a repository's files belong together: a model in one quantisation, projector, adapter."""

from __future__ import annotations

from dataclasses import dataclass

from lmnb.models.repository import HubFile

__all__ = ["Adapter", "Contents", "Projector", "Variant"]


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
    """Everything in a repository that has to do with running a model."""

    variants: tuple[Variant, ...] = ()
    projectors: tuple[Projector, ...] = ()
    adapters: tuple[Adapter, ...] = ()
