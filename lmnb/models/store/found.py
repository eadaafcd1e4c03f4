"""What a look through a root gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lmnb.models.names import ModelName

__all__ = ["Found", "Problem", "Scan"]


@dataclass(frozen=True, slots=True)
class Found:
    """One model: its files in order, and where the first lies below the root; `name` and `projector`
    only where the root says them otherwise than by paths."""

    files: tuple[Path, ...]
    relative: PurePosixPath
    name: ModelName | None = None
    projector: Path | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is not listed, or a folder not read."""

    path: Path
    reason: str


@dataclass(slots=True)
class Scan:
    models: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
