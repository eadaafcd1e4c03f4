"""Folders where other programs keep their models. They are read in place and never written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from lmnb.errors import InvalidRequest
from lmnb.models.store.reading import read_small

__all__ = ["Program", "folders_of", "program"]

Program = Literal["lmstudio", "ollama", "llama.cpp"]


def program(name: str) -> Program:
    """Raises InvalidRequest for one that is not known."""
    for known in FOLDERS:
        if name == known:
            return known
    programs = ", ".join(FOLDERS)
    raise InvalidRequest(
        f"Models can be read from {programs}, not from {name!r}.", param="read_from"
    )


def folders_of(name: Program, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where this program keeps its models, or would."""
    return FOLDERS[name](environ)


def _lmstudio(_: Mapping[str, str]) -> list[Path]:
    """The folder that its settings name, then the ones it has by default, today's and the older."""
    pointer = _text(Path("~/.lmstudio-home-pointer").expanduser())
    homes = [pointer] if pointer else []
    homes += [str(Path(home).expanduser()) for home in ("~/.lmstudio", "~/.cache/lm-studio")]
    folders: list[Path] = []
    for home in dict.fromkeys(homes):
        try:
            settings = json.loads(_text(Path(home) / "settings.json"))
            folders.append(Path(settings["downloadsFolder"]))
        except (ValueError, KeyError, TypeError):
            pass  # it never chose one
        folders.append(Path(home) / "models")
    return list(dict.fromkeys(folders))


def _ollama(environ: Mapping[str, str]) -> list[Path]:
    chosen = environ.get("OLLAMA_MODELS")
    folders = [Path(chosen)] if chosen else [Path("~/.ollama/models").expanduser()]
    if sys.platform == "linux" and not chosen:
        folders.append(Path("/usr/share/ollama/.ollama/models"))  # as a system service
    return folders


def _llama_cpp(environ: Mapping[str, str]) -> list[Path]:
    if chosen := environ.get("LLAMA_CACHE"):
        return [Path(chosen)]
    if sys.platform == "darwin":
        cache = Path("~/Library/Caches").expanduser()
    elif sys.platform == "win32":
        cache = Path(environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser())
    else:
        cache = Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return [cache / "llama.cpp"]


def _text(path: Path) -> str:
    """ "" where it cannot be read."""
    try:
        return read_small(path).decode().strip()
    except (OSError, ValueError):
        return ""


FOLDERS: dict[Program, Callable[[Mapping[str, str]], list[Path]]] = {
    "lmstudio": _lmstudio,
    "ollama": _ollama,
    "llama.cpp": _llama_cpp,
}
