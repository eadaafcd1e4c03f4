"""Putting a model's files into the import folder: the only place here that writes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Literal

from lmnb.errors import InvalidRequest
from lmnb.models.gguf import RUNNABLE, model_info
from lmnb.models.header import read_header
from lmnb.models.names import files_of, shard_of

__all__ = ["Mode", "import_files"]

Mode = Literal["copy", "hardlink", "symlink", "move"]

_FOLDER = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def import_files(source: Path, folder: Path, *, mode: Mode, name: str | None) -> Path:
    """Returns where the first file is now. Importing the same file again changes nothing.

    Raises InvalidRequest; then nothing was changed, but for a copy or move that failed half-way.
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
    target_folder = folder / name if name else folder
    targets = [target_folder / file.name for file in sources]
    for file, target in zip(sources, targets, strict=True):
        if os.path.lexists(target) and not (target.exists() and target.samefile(file)):
            raise InvalidRequest(
                f"{target} is there already, with other content",
                param="path",
                code="already_exists",
            )
    try:
        target_folder.mkdir(parents=True, exist_ok=True)
        for file, target in zip(sources, targets, strict=True):
            if not target.exists():
                _place(file, target, mode)
    except OSError as error:
        raise InvalidRequest(f"could not {mode} {source}: {error.strerror or error}") from error
    return targets[0]


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
