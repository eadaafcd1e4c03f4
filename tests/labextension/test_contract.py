"""What the panel reads and writes is what the server says of itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lmnb._version import __version__
from lmnb.api.openapi import describe
from tests.labextension.lab import BUILT, ROOT

PANEL = ROOT / "labextension"
MOST_BYTES = 300_000


@pytest.fixture
def npx() -> str:
    npx = shutil.which("npx")
    if npx is None or not (PANEL / "node_modules").exists():
        pytest.skip("no Node, or no `npm ci` in labextension/")
    return npx


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=PANEL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_panels_types_fit_the_servers_description(npx: str, tmp_path: Path) -> None:
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(describe()))
    types = PANEL / "contract" / "openapi.ts"
    run(npx, "openapi-typescript", description, "-o", types, "--default-non-nullable=false")
    run(npx, "tsc", "--project", "contract")


def test_the_script_is_small() -> None:
    sizes = [file.stat().st_size for file in BUILT.glob("static/*.js")]
    assert 0 < sum(sizes) < MOST_BYTES


def test_the_lockfile_names_no_registry() -> None:
    lock = json.loads((PANEL / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_both_packages_have_one_version() -> None:
    package = json.loads((PANEL / "package.json").read_text())
    release, _, rest = package["version"].partition("-")
    assert __version__ == (f"{release}.{rest.replace('.', '')}" if rest else release)


def test_the_oldest_jupyterlab_we_say_is_the_oldest_that_is_asked_for() -> None:
    """The builder would ask for the one that is in the lockfile."""
    package = json.loads((PANEL / "package.json").read_text())
    shared = package["jupyterlab"]["sharedPackages"]
    for name, wanted in package["dependencies"].items():
        assert shared[name]["requiredVersion"] == wanted
