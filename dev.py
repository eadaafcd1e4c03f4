#!/usr/bin/env python3
"""Sets up what a working tree needs, and runs it. Standard library only.

    python3 dev.py demo [options of `jupyter lab`]    JupyterLab on the quick-start notebook
    python3 dev.py test [options of `pytest`]         lint, types, import rules, tests

Both make `.venv` (or $LMNB_VENV) the first time and whenever pyproject.toml or labextension/ has
changed. With Node.js, that builds the JupyterLab panel; without, everything else works.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("LMNB_VENV", ROOT / ".venv")).resolve()
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
EXTRAS = {"demo": "demo", "test": "test,dev"}
NPM = shutil.which("npm")
NO_NPM = (
    "No npm found (it comes with Node.js 20 or newer): lmnb's JupyterLab panel is neither built nor "
    "tested. Everything else works."
)

NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
"""JupyterLab's own settings for the demo: its first question would be about news from the web."""


def main(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command not in EXTRAS:
        print(__doc__)
        return 0 if command in ("-h", "--help") else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before pip could refuse
        print(f"lmnb needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    try:
        set_up(EXTRAS[command])
        return demo(rest) if command == "demo" else test(rest)
    except subprocess.CalledProcessError as error:
        return error.returncode or 1
    except KeyboardInterrupt:
        return 130


def set_up(extras: str) -> None:
    """Install the working tree with `extras`, unless that has been done for what is in it."""
    stamp = VENV / f"lmnb-{extras.replace(',', '-')}.stamp"
    wanted = fingerprint()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    warn_without_compiler()
    if NPM is None:
        print(NO_NPM, file=sys.stderr)
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", VENV)
    print(
        f"Installing lmnb[{extras}] into {VENV}.\n"
        "The first time, pip compiles llama.cpp: about 8 minutes on 2 cores, less on more.",
        flush=True,
    )
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install"]
    run(*pip, "--progress-bar=off", "--editable", f"{ROOT}[{extras}]")
    stamp.write_text(wanted)


def fingerprint() -> str:
    """Of what an installation is made of, besides the Python files, which are used where they are."""
    panel = ROOT / "labextension"
    folders = [panel / name for name in ("src", "style", "schema")]
    files = [ROOT / "pyproject.toml", *panel.glob("*.json"), *panel.glob("*.py")]
    files += [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    whole = hashlib.sha256(f"npm: {NPM is not None}".encode())
    for file in sorted(files):
        whole.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return whole.hexdigest()


def warn_without_compiler() -> None:
    if os.name != "nt" and not (
        os.environ.get("CXX") or any(map(shutil.which, ("c++", "g++", "clang++")))
    ):
        print(
            "No C++ compiler found. Unless pip has a built llama-cpp-python at hand, it will stop "
            "with a CMake error.\n  Debian, Ubuntu: apt install build-essential\n"
            "  Fedora: dnf install gcc-c++\n  macOS: xcode-select --install",
            file=sys.stderr,
        )


def demo(options: list[str]) -> int:
    """JupyterLab with the demo model. Nothing is fetched: not by lmnb, not by JupyterLab."""
    quickstart = ROOT / "notebooks" / "01-quickstart.ipynb"
    settings = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/{quickstart.relative_to(ROOT).as_posix()}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings.append("--allow-root")  # Jupyter refuses root unless told; containers are root
    overrides = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(NO_NEWS))
    lab = [str(PYTHON), "-m", "jupyterlab", *settings, *options]
    os.environ["HF_HUB_OFFLINE"] = "1"
    if os.name == "posix":
        os.execv(lab[0], lab)  # signals, and Jupyter's question after Ctrl-C, are Jupyter's own
    return subprocess.run(lab).returncode


def test(options: list[str]) -> int:
    """Every check that CI makes, the quick ones first. Ends with pytest's closing line."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    for system in ("darwin", "win32"):
        run(PYTHON, "-m", "mypy", "--platform", system, "--cache-dir", f".mypy_cache/{system}")
    run(SCRIPTS / "lint-imports", "--no-cache")
    test_panel()
    run(PYTHON, "-m", "pytest", *options)
    return 0


def test_panel() -> None:
    """The checks of the JupyterLab panel's own tools."""
    if NPM is None:
        print(NO_NPM, file=sys.stderr)
        return
    panel = ROOT / "labextension"
    if not (panel / "node_modules" / ".package-lock.json").exists():
        run(NPM, "ci", cwd=panel)
    for script in ("lint", "test"):
        run(NPM, "run", script, cwd=panel)


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Raises subprocess.CalledProcessError, when the command has said what is wrong."""
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
