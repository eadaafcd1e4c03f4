"""sdist and wheel, each installed into an empty environment; with Node, and without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.labextension.lab import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PANEL = "share/jupyter/labextensions/lmnb-labextension"
NO_NODE = {"PATH": ""}
SERVER_EXTENSIONS = "jupyter_server.extension.serverextension"


def run(
    *command: str | Path, python: str | Path = sys.executable, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", *map(str, command)],
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | env,
        capture_output=True,
        text=True,
        timeout=280,
    )


def succeed(*command: str | Path, python: str | Path = sys.executable, **env: str) -> str:
    done = run(*command, python=python, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("no npm to build the panel with")
    folder = tmp_path_factory.mktemp("sdist")
    succeed("build", "--sdist", "--outdir", folder, ROOT)
    return next(folder.glob("lmnb-*.tar.gz"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree's files, with nothing that was built."""
    folder = tmp_path_factory.mktemp("checkout")
    left_out = shutil.ignore_patterns("node_modules", "lib", ".*", "__pycache__")
    for name in ("labextension", "jupyter-config"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    (folder / "lmnb").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "lmnb/_version.py", "lmnb/__init__.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def environment(folder: Path) -> Path:
    """An empty one."""
    succeed("venv", "--without-pip", folder)
    return folder


def assert_extensions_are_ok(venv: Path) -> None:
    """To Jupyter in that environment, which borrows its dependencies from this one."""
    python, borrowed = venv / "bin" / "python", sysconfig.get_path("purelib")
    labs = succeed("jupyterlab.labextensions", "list", python=python, PYTHONPATH=borrowed)
    assert "lmnb-labextension" in labs
    assert "OK" in labs.partition("lmnb-labextension")[2].splitlines()[0]
    servers = succeed(SERVER_EXTENSIONS, "list", python=python, PYTHONPATH=borrowed)
    assert "OK" in servers.partition("Validating lmnb")[2].splitlines()[1]


def test_a_wheel_from_the_sdist_needs_no_node(sdist: Path, tmp_path: Path) -> None:
    venv = environment(tmp_path / "venv")
    succeed("pip", "--python", venv, "install", "--no-deps", sdist, **NO_NODE)
    installed = json.loads((venv / PANEL / "install.json").read_text())
    assert installed["packageName"] == "lmnb"
    assert_extensions_are_ok(venv)


def test_a_wheel_from_the_checkout_has_the_panel(tmp_path: Path) -> None:
    venv = environment(tmp_path / "venv")
    succeed("pip", "--python", venv, "install", "--no-deps", ROOT)
    assert list((venv / PANEL / "static").glob("remoteEntry*.js"))
    assert_extensions_are_ok(venv)


def test_without_node_a_wheel_is_refused_with_the_way_out(checkout: Path, tmp_path: Path) -> None:
    wheel = ("pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, checkout)
    refused = run(*wheel, **NO_NODE)
    assert refused.returncode != 0
    assert "Install Node.js 20 or newer" in refused.stdout + refused.stderr
    succeed(*wheel, **NO_NODE, LMNB_WITHOUT_LABEXTENSION="1")
    assert list(tmp_path.glob("lmnb-*.whl"))


def test_without_node_an_editable_install_goes_on(checkout: Path, tmp_path: Path) -> None:
    venv = environment(tmp_path / "venv")
    said = succeed(
        "pip", "--python", venv, "install", "-v", "--no-deps", "--editable", checkout, **NO_NODE
    )
    assert "Install Node.js 20 or newer" in said
    assert not (venv / PANEL).exists()
    assert (venv / "etc/jupyter/jupyter_server_config.d/lmnb.json").exists()
