"""The models that are here: an index over the roots, made from file names and headers alone."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.models.names import name_of
from lmnb.models.store.duplicates import Duplicate, Hashes, find_duplicates
from lmnb.models.store.facts import Facts
from lmnb.models.store.found import Problem
from lmnb.models.store.importing import Mode, import_files, plan_import
from lmnb.models.store.index import Index, take_index
from lmnb.models.store.record import ModelRecord
from lmnb.models.store.removing import Removal, remove_files
from lmnb.models.store.roots import Root, default_roots

__all__ = ["ModelRecord", "ModelStore", "Problem", "default_roots"]

Records = list[ModelRecord]


class ModelStore:
    """Looks at the disk each time it is asked, so that a file is there as soon as it is there;
    headers are read again only when a file's size or time has changed. All methods block.

    `facts`: where headers' facts are kept for the next server; None: nowhere.
    """

    def __init__(
        self, roots: Sequence[Root | Path], *, import_dir: Path, facts: Path | None = None
    ) -> None:
        unique: dict[Path, Root] = {}
        for root in (*roots, Root(import_dir, "own")):
            root = root if isinstance(root, Root) else Root(root)
            unique.setdefault(root.path, root)
        self.roots = tuple(unique.values())
        self.import_dir = import_dir
        self._facts = Facts(facts)
        self._hashes = Hashes()

    def look(self) -> Index:
        """All that lies in the roots: models, what goes with them, and what cannot be used."""
        return take_index(self.roots, self._facts)

    def list(self) -> Records:
        """The models."""
        return self.look().records

    def find(self, name: str) -> ModelRecord:
        """By id, id without publisher, path inside a root, file name, or beginning of the name;
        case does not matter.

        Raises ModelNotFound, saying what is wrong with the file or what is near; InvalidRequest
        where several would do.
        """
        index = self.look()
        wanted, records = name.strip().lower(), index.records
        ranks = {record.id: record.rank(wanted) for record in records} if wanted else {}
        best = min((rank for rank in ranks.values() if rank is not None), default=None)
        if best is None:
            raise ModelNotFound(_not_found(name, records, index.problems), param="model")
        hits = [record for record in records if ranks[record.id] == best]
        if len(hits) > 1:
            ids = ", ".join(record.id for record in hits[:8])
            message = f"{name!r} could be any of: {ids}"
            raise InvalidRequest(message, param="model", code="ambiguous_model")
        return hits[0]

    def id_of(self, path: Path) -> str | None:
        """What the model whose first file this is is called. None: it is in none of the roots."""
        try:
            return next((one.id for one in self.list() if one.path.samefile(path)), None)
        except OSError:
            return None

    def import_file(
        self, source: Path, *, mode: Mode = "symlink", name: str | None = None
    ) -> ModelRecord:
        """Put a model's file (all of them, if it is spread over several) into `import_dir`.

        `name`: the `publisher/model` folder to put it in. Raises InvalidRequest: no model that
        can be run, a name that leads elsewhere, or another file already there.
        """
        target = import_files(source, self.import_dir, mode=mode, name=name)
        return next(record for record in self.list() if record.path.samefile(target))

    def plan_import(
        self, source: Path, *, mode: Mode = "symlink", name: str | None = None
    ) -> Sequence[tuple[Path, Path]]:
        """What `import_file` would put where. Raises what it raises."""
        return plan_import(source, self.import_dir, mode=mode, name=name)

    def remove(self, name: str) -> Removal:
        """Delete a model's files, and its projector's if no other model has it.

        Raises ModelNotFound, InvalidRequest (which one?), PermissionDenied for what is not ours.
        """
        return remove_files(self.find(name), self.list())

    def duplicates(self) -> Sequence[Duplicate]:
        """Models whose files are on the disk more than once, with the same content."""
        return find_duplicates(self.list(), self._hashes)


def _not_found(name: str, records: Sequence[ModelRecord], problems: Sequence[Problem]) -> str:
    wanted = name.strip().lower()
    for problem in problems:
        file = name_of(PurePosixPath(problem.path.name))
        if wanted in (file.model, problem.path.stem.lower(), problem.path.name.lower()):
            path = os.fsencode(problem.path).decode("utf-8", "replace")
            return f"{path} cannot be used. {problem.reason}"
    message = f"There is no model {name[:200]!r} here."
    if not records:
        return f"{message} There are no models at all; import a GGUF file, or set LMNB_MODEL_PATH."
    short = {record.name.model: record.id for record in records}
    near = difflib.get_close_matches(wanted.rpartition("/")[2][:200], short, n=3, cutoff=0.5)
    if near:
        return f"{message} Near: {', '.join(short[match] for match in near)}"
    ids = [record.id for record in records]
    return f"{message} There are: {', '.join(ids[:8])}{', ...' if len(ids) > 8 else ''}"
