"""The models that are here: an index over the roots, made from file names and headers alone."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.models.gguf import RUNNABLE, ModelInfo, model_info
from lmnb.models.header import InvalidGGUF, read_header
from lmnb.models.importing import Mode, import_files
from lmnb.models.names import ModelName, name_of
from lmnb.models.roots import default_roots
from lmnb.models.scan import Found, Problem, scan

__all__ = ["ModelRecord", "ModelStore", "Problem", "default_roots"]

EMBEDDING_PREFIX = "text-embedding-"
"""What LM Studio puts before the names of embedding models; here they answer to both."""


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

    @property
    def quant(self) -> str:
        """Lower-case, as in `model@quant`: what the file is called, else what the header says."""
        return self.name.quant or self.info.quantization.lower()

    def rank(self, wanted: str) -> int | None:
        """How well the lower-case name `wanted` fits: 0 is best; None, not at all."""
        name = self.name
        repository = f"{name.publisher}/{name.repository}"
        answers = (
            {self.id, f"{name.base}@{self.quant}"},
            {name.base, name.model, f"{name.model}@{self.quant}"},
            {
                repository,
                f"{repository}@{self.quant}",
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
        beginnings = tuple(wanted + end for end in "-_. ")
        return len(answers) if name.model.startswith(beginnings) else None


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that has no id yet."""

    found: Found
    info: ModelInfo
    size_bytes: int


Records = list[ModelRecord]
_Problems = list[Problem]
_Models = list[_Model]
_Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, time) of each file of a model."""


class ModelStore:
    """Looks at the disk each time it is asked, so that a file is there as soon as it is there;
    headers are read again only when a file's size or time has changed. All methods block."""

    def __init__(self, roots: Sequence[Path], *, import_dir: Path) -> None:
        self.roots = tuple(dict.fromkeys((*roots, import_dir)))
        self.import_dir = import_dir
        self._facts: dict[_Stamp, ModelInfo | InvalidGGUF] = {}

    def list(self) -> Records:
        return self._index()[0]

    def problems(self) -> tuple[Problem, ...]:
        """What lies in the roots and cannot be used, with the reason."""
        return self._index()[1]

    def find(self, name: str) -> ModelRecord:
        """By id, id without publisher, path inside a root, file name, or beginning of the name;
        case does not matter.

        Raises ModelNotFound, saying what is wrong with the file or what is near; InvalidRequest
        where several would do.
        """
        wanted, (records, problems) = name.strip().lower(), self._index()
        ranks = {record.id: record.rank(wanted) for record in records} if wanted else {}
        best = min((rank for rank in ranks.values() if rank is not None), default=None)
        if best is None:
            raise ModelNotFound(_not_found(name, records, problems), param="model")
        hits = [record for record in records if ranks[record.id] == best]
        if len(hits) > 1:
            ids = ", ".join(record.id for record in hits[:8])
            message = f"{name!r} could be any of: {ids}"
            raise InvalidRequest(message, param="model", code="ambiguous_model")
        return hits[0]

    def import_file(
        self, source: Path, *, mode: Mode = "symlink", name: str | None = None
    ) -> ModelRecord:
        """Put a model's file (all of them, if it is spread over several) into `import_dir`.

        `name`: the `publisher/model` folder to put it in. Raises InvalidRequest: no model that
        can be run, a name that leads elsewhere, or another file already there.
        """
        target = import_files(source, self.import_dir, mode=mode, name=name)
        return next(record for record in self.list() if record.path.samefile(target))

    def _index(self) -> tuple[Records, tuple[Problem, ...]]:
        problems: _Problems = []
        models: _Models = []
        facts: dict[_Stamp, ModelInfo | InvalidGGUF] = {}
        seen: set[tuple[int, int]] = set()
        for found in self._scan(problems):
            try:
                stamps = [os.stat(file) for file in found.files]
            except OSError as error:
                problems.append(Problem(found.files[0], error.strerror or str(error)))
                continue
            if (identity := (stamps[0].st_dev, stamps[0].st_ino)) in seen:
                continue  # a second link to it, or a root inside a root
            seen.add(identity)
            stamp = tuple(
                (str(file), status.st_size, status.st_mtime_ns)
                for file, status in zip(found.files, stamps, strict=True)
            )
            info = facts[stamp] = self._facts.get(stamp) or _read(found)
            if isinstance(info, InvalidGGUF):
                problems.append(Problem(found.files[0], info.message))
            elif info.kind == "vocabulary":
                problems.append(Problem(found.files[0], "holds a vocabulary but no weights"))
            elif info.kind in RUNNABLE:
                models.append(_Model(found, info, sum(status.st_size for status in stamps)))
        self._facts = facts
        return _with_ids(models), tuple(problems)

    def _scan(self, problems: _Problems) -> Iterator[Found]:
        for root in self.roots:
            result = scan(root)
            problems += result.problems
            yield from result.models


def _read(found: Found) -> ModelInfo | InvalidGGUF:
    try:
        return model_info([read_header(file) for file in found.files])
    except InvalidGGUF as error:
        return error


def _with_ids(models: Sequence[_Model]) -> Records:
    """Give each model an id that no other has."""
    names = [name_of(model.found.relative) for model in models]
    sharing = Counter(name.base for name in names)
    records: dict[str, ModelRecord] = {}
    for model, name in zip(models, names, strict=True):
        relative = model.found.relative
        quant = name.quant or model.info.quantization.lower()
        wanted = f"{name.base}@{quant}" if sharing[name.base] > 1 else name.base
        path = str(model.found.files[0])
        choices = (wanted, relative.with_suffix("").as_posix().lower(), path.lower(), path)
        id = next(choice for choice in choices if choice not in records)
        records[id] = ModelRecord(
            id=id,
            path=model.found.files[0],
            info=model.info,
            size_bytes=model.size_bytes,
            name=name,
            files=model.found.files,
            relative=relative.as_posix(),
        )
    return list(records.values())


def _not_found(name: str, records: Sequence[ModelRecord], problems: Sequence[Problem]) -> str:
    wanted = name.strip().lower()
    for problem in problems:
        file = name_of(PurePosixPath(problem.path.name))
        if wanted in (file.model, problem.path.stem.lower(), problem.path.name.lower()):
            return f"{problem.path} cannot be used. {problem.reason}"
    message = f"There is no model {name[:200]!r} here."
    if not records:
        return f"{message} There are no models at all; import a GGUF file, or set LMNB_MODEL_PATH."
    short = {record.name.model: record.id for record in records}
    near = difflib.get_close_matches(wanted.rpartition("/")[2][:200], short, n=3, cutoff=0.5)
    if near:
        return f"{message} Near: {', '.join(short[match] for match in near)}"
    ids = [record.id for record in records]
    return f"{message} There are: {', '.join(ids[:8])}{', ...' if len(ids) > 8 else ''}"
