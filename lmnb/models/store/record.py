"""One model that is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lmnb.models.gguf.info import ModelInfo
from lmnb.models.names import ModelName
from lmnb.models.store.roots import Root

__all__ = ["ModelRecord", "base_name"]

EMBEDDING_PREFIX = "text-embedding-"
"""What LM Studio puts before the names of embedding models."""


def base_name(name: ModelName, info: ModelInfo) -> str:
    """`publisher/model`, and `text-embedding-model` for models of vectors."""
    if info.kind != "embedding":
        return name.base
    return EMBEDDING_PREFIX + name.model.removeprefix(EMBEDDING_PREFIX)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that can be loaded. `path` is its first file; `size_bytes` counts all of them."""

    id: str
    path: Path
    info: ModelInfo
    size_bytes: int
    name: ModelName
    files: tuple[Path, ...]
    relative: str
    """Where it lies below its root."""
    root: Root
    projector: Path | None = None
    """What it sees or hears with (mmproj)."""
    vision: bool = False
    """It has a projector that sees."""

    @property
    def base(self) -> str:
        """LM Studio's name that all quantisations of the model share."""
        return base_name(self.name, self.info)

    @property
    def quant(self) -> str:
        """Lower-case, as in `model@quant`: what the file is called, else what the header says."""
        return self.name.quant or self.info.quantization.lower()

    def rank(self, wanted: str) -> int | None:
        """How well the lower-case name `wanted` fits: 0 is best; None, not at all."""
        name = self.name
        repository = f"{name.publisher}/{name.repository}"
        answers = (
            {self.id, f"{self.base}@{self.quant}", f"{name.base}@{self.quant}"},
            {name.base, name.model, f"{name.model}@{self.quant}"},
            {
                repository,
                f"{repository}@{self.quant}",
                f"{repository}:{self.quant}",
                f"{repository}/{self.path.name.lower()}",
                self.relative.lower(),
                str(self.path).lower(),
            },
            {self.path.stem.lower(), self.path.name.lower()},
        )
        for rank, names in enumerate(answers):
            if wanted in names:
                return rank
        if self.info.kind == "embedding" and wanted.startswith(EMBEDDING_PREFIX):
            return self.rank(wanted.removeprefix(EMBEDDING_PREFIX))
        beginnings = tuple(wanted + end for end in "-_. :")
        return len(answers) if name.model.startswith(beginnings) else None
