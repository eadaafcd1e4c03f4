"""From the files in the roots to models with names: the look that the store takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lmnb.models.gguf.header import InvalidGGUF
from lmnb.models.gguf.info import RUNNABLE, ModelInfo
from lmnb.models.names import ModelName, name_of
from lmnb.models.store.facts import Facts, Stamp
from lmnb.models.store.found import Found, Problem
from lmnb.models.store.record import ModelRecord, base_name
from lmnb.models.store.roots import Root
from lmnb.models.store.scan import scan_root

__all__ = ["Index", "Part", "take_index"]


@dataclass(frozen=True, slots=True)
class Part:
    """What is no model by itself: a projector or an adapter."""

    path: Path
    info: ModelInfo
    size_bytes: int
    root: Root


@dataclass(slots=True)
class Index:
    """`adapters` and `projectors` are loaded with a model; `problems` says why a file is not used."""

    records: list[ModelRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    projectors: list[Part] = field(default_factory=list)
    adapters: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that has no id yet."""

    found: Found
    info: ModelInfo
    size_bytes: int
    root: Root
    name: ModelName


def take_index(roots: Iterable[Root], facts: Facts) -> Index:
    """Everything in the roots. A file that several paths lead to counts where it is found first."""
    index, models = Index(), list[_Model]()
    seen: set[tuple[int, int]] = set()
    for root in roots:
        scan = scan_root(root)
        index.problems += scan.problems
        for found in scan.models:
            if not all(map(_is_text, found.files)):
                index.problems.append(Problem(found.files[0], "its path is no UTF-8"))
                continue
            try:
                status = [os.stat(file) for file in found.files]
            except OSError as error:
                index.problems.append(Problem(found.files[0], error.strerror or str(error)))
                continue
            if (identity := (status[0].st_dev, status[0].st_ino)) in seen:
                continue
            seen.add(identity)
            stamp: Stamp = tuple(
                (str(file), one.st_size, one.st_mtime_ns)
                for file, one in zip(found.files, status, strict=True)
            )
            try:
                info = facts.of(found.files, stamp)
            except InvalidGGUF as error:
                index.problems.append(Problem(found.files[0], error.message))
                continue
            size = sum(one.st_size for one in status)
            if info.kind in RUNNABLE:
                name = found.name or name_of(found.relative)
                models.append(_Model(found, info, size, root, name))
            elif info.kind == "projector":
                index.projectors.append(Part(found.files[0], info, size, root))
            elif info.kind == "adapter":
                index.adapters.append(Part(found.files[0], info, size, root))
            elif info.kind == "vocabulary":
                problem = Problem(found.files[0], "holds a vocabulary but no weights")
                index.problems.append(problem)
    facts.save()
    index.records = _records(models, index.projectors)
    return index


def _is_text(path: Path) -> bool:
    """Can it be told to anybody? Names of files may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _records(models: Sequence[_Model], projectors: Sequence[Part]) -> list[ModelRecord]:
    """Give each model an id that no other has, and the projector that lies beside it."""
    sharing = Counter(base_name(model.name, model.info) for model in models)
    beside = _Projectors(models, projectors)
    records: dict[str, ModelRecord] = {}
    for model in models:
        found, path = model.found, str(model.found.files[0])
        quant = model.name.quant or model.info.quantization.lower()
        base = base_name(model.name, model.info)
        wanted = f"{base}@{quant}" if sharing[base] > 1 else base
        below = found.relative.with_suffix("") if found.name is None else found.relative
        choices = (wanted, below.as_posix().lower(), path.lower(), path)
        id = next(choice for choice in choices if choice not in records)
        projector, sees = beside.of(model)
        records[id] = ModelRecord(
            id=id,
            path=found.files[0],
            info=model.info,
            size_bytes=model.size_bytes,
            name=model.name,
            files=found.files,
            relative=found.relative.as_posix(),
            root=model.root,
            projector=projector,
            vision=sees,
        )
    return list(records.values())


class _Projectors:
    """Projectors by folder, and how many models each folder has."""

    ORDER = ("F16", "BF16", "Q8_0", "F32")

    def __init__(self, models: Sequence[_Model], projectors: Sequence[Part]) -> None:
        self._by_path = {part.path: part for part in projectors}
        self._in_folder: dict[Path, list[Part]] = {}
        for part in projectors:
            self._in_folder.setdefault(part.path.parent, []).append(part)
        self._models: dict[Path, set[str]] = {}
        for model in models:
            self._models.setdefault(model.found.files[0].parent, set()).add(model.name.model)

    def of(self, model: _Model) -> tuple[Path | None, bool]:
        """(path, whether it sees). Where several models share a folder, only a projector that has
        the model's name in its own; of several, the one in 16 bits."""
        if (path := model.found.projector) is not None:
            part = self._by_path.get(path)
            return (path, part is None or part.info.vision) if path.exists() else (None, False)
        folder = model.found.files[0].parent
        parts = self._in_folder.get(folder, [])
        named = [part for part in parts if model.name.model in part.path.name.lower()]
        if not named and len(self._models[folder]) == 1:
            named = parts
        if not named:
            return None, False
        best = min(named, key=lambda part: (self._place(part), part.path.name))
        return best.path, best.info.vision

    def _place(self, part: Part) -> int:
        quant = part.info.quantization
        return self.ORDER.index(quant) if quant in self.ORDER else len(self.ORDER)
