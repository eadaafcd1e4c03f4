"""Putting a model's files into the import folder: the only place here that writes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Literal

from lmnb.errors import InvalidRequest
from lmnb.models.gguf.header import read_header
from lmnb.models.gguf.info import RUNNABLE, model_info
from lmnb.models.names import files_of, name_of, shard_of
from lmnb.models.store.facts import Facts
from lmnb.models.store.index import take_index
from lmnb.models.store.roots import Root

__all__ = ["Mode", "import_files", "plan_import"]

Mode = Literal["copy", "hardlink", "symlink", "move"]

NO_PRIVILEGE = 1314
"""Windows' ERROR_PRIVILEGE_NOT_HELD."""
_FOLDER = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def import_files(source: Path, folder: Path, *, mode: Mode, name: str | None) -> Path:
    """Returns where the first file is now. Importing the same file again changes nothing.

    Raises InvalidRequest; then nothing was changed, but for a copy or move that failed half-way.
    """
    planned = plan_import(source, folder, mode=mode, name=name)
    try:
        for file, target in planned:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                # Other models beside a projector may need it.
                kept = mode == "move" and _is_projector(file)
                _place(file, target, "copy" if kept else mode)
    except OSError as error:
        why = error.strerror or str(error)
        if mode == "symlink" and getattr(error, "winerror", None) == NO_PRIVILEGE:
            why += ". Windows lets only administrators and developers make links: copy it"
        raise InvalidRequest(f"could not {mode} {source}: {why}", param="mode") from error
    return planned[0][1]


def plan_import(
    source: Path, folder: Path, *, mode: Mode, name: str | None
) -> list[tuple[Path, Path]]:
    """Each file of the model, and where it would be then. The projector that lies beside a model
    comes with it. Raises InvalidRequest.
    """
    if name is not None and not _FOLDER.fullmatch(name):
        raise InvalidRequest(f"{name!r} is not of the form publisher/model", param="name")
    if not source.is_file():
        raise InvalidRequest(f"{source} is not a file", param="path", code="file_not_found")
    if source.suffix.lower() != ".gguf":
        raise InvalidRequest(
            f"{source.name} is not a .gguf file", param="path", code="invalid_gguf"
        )
    if mode == "move" and source.is_symlink():
        raise InvalidRequest(f"{source} is a link: copy it or link to it", param="mode")
    if (shard := shard_of(source.stem)) and shard.number != 1:
        raise InvalidRequest(f"{source.name} is not the first of its model's files", param="path")
    sources = files_of(source)
    kind = model_info([read_header(file) for file in sources]).kind
    if kind not in RUNNABLE:
        raise InvalidRequest(f"{source.name} is no model that can be run: {kind}", param="path")
    projector = _projector_of(source)
    if projector is not None:
        # In a folder of its own: elsewhere it would lie beside other models too.
        sources = (*sources, projector)
        name = name or name_of(PurePosixPath(source.name)).model
    target_folder = folder / name if name else folder
    targets = [target_folder / file.name for file in sources]
    for file, target in zip(sources, targets, strict=True):
        if os.path.lexists(target) and not (target.exists() and target.samefile(file)):
            raise InvalidRequest(
                f"{target} is there already, with other content",
                param="path",
                code="already_exists",
            )
    return list(zip(sources, targets, strict=True))


def _is_projector(file: Path) -> bool:
    return "mmproj" in file.name.lower()


def _projector_of(source: Path) -> Path | None:
    """What the model sees or hears with, if it lies in the same folder."""
    files = sorted(source.parent.glob("*.gguf"))
    if not any(map(_is_projector, files)):
        return None
    records = take_index(map(Root, files), Facts()).records
    return next((one.projector for one in records if one.path.samefile(source)), None)


def _place(source: Path, target: Path, mode: Mode) -> None:
    real = source.resolve()
    if mode == "symlink":
        target.symlink_to(real)
    elif mode == "hardlink":
        os.link(real, target)
    else:
        # Under another name until it is whole: a half-copied file must not be listed.
        partial = target.with_name(target.name + ".part")
        try:
            (shutil.move if mode == "move" else shutil.copyfile)(real, partial)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
