"""What a name was found to mean: the files to fetch, and why these."""

from __future__ import annotations

from dataclasses import dataclass

from lmnb.models.hub.repository import HubFile, HubRepo
from lmnb.models.hub.variants import Projector, Variant

__all__ = ["Candidate", "Resolution"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could have been meant: a repository, and what one would usually take of it; or a file of
    one, as `owner/repo/file.gguf`."""

    repo: str
    quant: str
    downloads: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """`why` are sentences for people. Not `certain`: ask, or refuse and show `candidates`."""

    repo: HubRepo
    variant: Variant
    projector: Projector | None = None
    why: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    certain: bool = True

    @property
    def files(self) -> tuple[HubFile, ...]:
        """All that is to be fetched: the model, and what it sees with."""
        return self.variant.files + ((self.projector.file,) if self.projector else ())

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)
