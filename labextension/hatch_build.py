"""Builds the JupyterLab panel while the wheel is built, so that users need no Node.

An sdist holds the built panel beside its sources. From a checkout it is built with npm; without npm a
wheel is refused, since it would lack the panel silently, and an editable install goes on without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "lmnb-labextension"
WITHOUT = "LMNB_WITHOUT_LABEXTENSION"
SOURCES = ("src", "style", "schema", "package.json", "package-lock.json", "tsconfig.json")
NO_NPM = (
    "lmnb's JupyterLab panel has to be built, and npm was not found. Install Node.js 20 or newer "
    f"(with npm), or set {WITHOUT}=1 to install lmnb without its panel: server, magics and "
    "command line work without it."
)


class LabextensionHook(BuildHookInterface[Any]):
    """`npm ci` and `npm run build` in labextension/, when the sources are newer than what was built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root) / "labextension"
        built = Path(self.root) / "lmnb" / "labextension"
        if os.environ.get(WITHOUT):
            self.app.display_warning(f"{WITHOUT} is set: no JupyterLab panel.")
            return
        if is_stale(source, built):
            npm = shutil.which("npm")
            if npm is None and version != "editable":
                raise SystemExit(NO_NPM)
            if npm is None:
                self.app.display_warning(NO_NPM)
                return
            for command in (["ci"], ["run", "build"]):
                subprocess.run([npm, *command], cwd=source, check=True)
        if self.target_name == "wheel":
            share = f"share/jupyter/labextensions/{NAME}"
            build_data["shared_data"] |= {
                str(built): share,
                str(source / "install.json"): f"{share}/install.json",
            }


def is_stale(source: Path, built: Path) -> bool:
    """Nothing has been built, or something was changed since."""
    if not (built / "package.json").exists():
        return True
    paths = [source / name for name in SOURCES]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return max(map(modified, files)) > max(map(modified, built.rglob("*")))


def modified(path: Path) -> float:
    return path.stat().st_mtime
