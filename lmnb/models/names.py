"""How a file's path becomes a model's name, by LM Studio's conventions.

`publisher/repo/Model-Q4_K_M.gguf` is `publisher/model`, and `publisher/model@q4_k_m` where several
quantisations of it are there. Files that lie in no such folders have no publisher.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lmnb.models.quant_names import is_quant, split_quant

__all__ = ["ModelName", "Shard", "files_of", "hub_repository", "name_of", "shard_of"]

_SHARD = re.compile(r"^(.+)-(\d{5})-of-(\d{5})$")
_GENERIC = {"", "model", "ggml-model", "ggml", "gguf", "weights", "unquantized"}


@dataclass(frozen=True, slots=True)
class ModelName:
    """`display` keeps the case of the file; everything else is lower-case. "" where unknown."""

    publisher: str
    repository: str
    model: str
    quant: str
    display: str

    @property
    def base(self) -> str:
        """The name that all quantisations of the model share."""
        return f"{self.publisher}/{self.model}" if self.publisher else self.model


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a model that is spread over `count` files, the first being number 1."""

    stem: str
    number: int
    count: int


def shard_of(stem: str) -> Shard | None:
    """What `llama-gguf-split` names its files. None: a file of its own."""
    match = _SHARD.match(stem)
    return Shard(match[1], int(match[2]), int(match[3])) if match else None


def files_of(first: Path) -> tuple[Path, ...]:
    """All files of the model whose first file this is."""
    shard = shard_of(first.stem)
    if shard is None or shard.number != 1:
        return (first,)
    numbers = range(2, shard.count + 1)
    return (
        first,
        *(
            first.with_name(f"{shard.stem}-{n:05}-of-{shard.count:05}{first.suffix}")
            for n in numbers
        ),
    )


def hub_repository(folder: str) -> tuple[str, str] | None:
    """(owner, repository) of a folder in the Hugging Face cache: `models--owner--repository`."""
    if not folder.startswith("models--"):
        return None
    owner, _, repository = folder.removeprefix("models--").rpartition("--")
    return (owner, repository) if repository else None


def name_of(relative: PurePosixPath) -> ModelName:
    """The name of the model at this path below a root. Of several shards, any will do."""
    folders = relative.parts[:-1]
    publisher, repository = "", folders[0] if len(folders) == 1 else ""
    if len(folders) >= 2:
        publisher, repository = hub_repository(folders[0]) or folders[:2]
    stem = relative.name.removesuffix(relative.suffix)
    shard = shard_of(stem)
    stem = shard.stem if shard else stem
    display, quant = split_quant(stem)
    if repository and is_quant(stem):
        display, quant = "", stem
    if display.lower() in _GENERIC:
        display = re.sub(r"[-_.]gguf$", "", repository, flags=re.IGNORECASE) or stem
    return ModelName(
        publisher=publisher.lower(),
        repository=repository.lower(),
        model=display.lower(),
        quant=quant.lower(),
        display=display,
    )
