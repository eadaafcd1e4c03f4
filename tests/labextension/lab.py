"""A JupyterLab or Notebook of its own, with the panel as it was built from the working tree."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.server.spawn import START_SECONDS, Server, environment, spawn

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "lmnb" / "labextension"
TOKEN = "t0ken"
FLAGS = """--no-browser --allow-root --expose-app-in-browser
    --ServerApp.jpserver_extensions=lmnb=True
    --LabApp.news_url=None --LabApp.extension_manager=readonly
    --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate""".split()
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": False},
}
"""JupyterLab's own first question would be about news from the web."""


@contextmanager
def jupyterlab(
    folder: Path, *options: str, app: str = "jupyterlab", port: int = 0, **env: str
) -> Iterator[Server]:
    """`url` is that of the application's pages (`.../lab` or `.../tree`), without the token."""
    settings = folder / "settings"
    share = folder / "share" / "labextensions" / "lmnb-labextension"
    if not share.exists():
        share.parent.mkdir(parents=True)
        share.symlink_to(BUILT)
        write_settings(settings, SETTINGS)
        (folder / "files").mkdir()
    command = [
        app,
        *FLAGS,
        f"--port={port}",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder / 'files'}",
        *options,
    ]
    own = environment(
        folder,
        JUPYTER_PATH=os.pathsep.join([str(folder / "share")]),
        JUPYTERLAB_SETTINGS_DIR=str(settings),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
        IPYTHONDIR=str(folder / "ipython"),
        PYTHONPATH=str(ROOT),
        **env,
    )
    with spawn(command, own, r"(http://127\.0\.0\.1:\d+/(?:lab|tree))") as server:
        wait_until_it_listens(server)
        yield server


def wait_until_it_listens(server: Server) -> None:
    """Jupyter says its address a moment before somebody is there."""
    deadline = time.monotonic() + START_SECONDS
    address = urlsplit(server.url)
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address.hostname, address.port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(server.log)


def write_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """User settings, as the settings editor writes them."""
    for name, value in settings.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))


def chromium() -> str | None:
    """A Chromium of this machine: Playwright's own may not be installed."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
