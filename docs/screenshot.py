#!/usr/bin/env python3
"""Makes docs/quickstart.png: JupyterLab with the quick-start notebook, run for real.

    python docs/screenshot.py [--out FILE] [--notebook FILE] [--height PIXELS]

Needs the `demo` and `test` extras and a Chromium ($CHROMIUM, or the first one on the path).
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM_FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update""".split()
LAB_FLAGS = """--no-browser --allow-root --port=0 --expose-app-in-browser
    --ServerApp.open_browser=False --LabApp.news_url=None --LabApp.extension_manager=readonly
    --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate""".split()
DONE = """() => {
    const cells = [...window.jupyterapp.shell.currentWidget.content.widgets];
    const code = cells.filter(cell => cell.model.type === 'code');
    return code.every(cell => cell.model.executionCount && cell.model.executionState === 'idle');
}"""
READY = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    return context?.isReady && context.session?.kernel?.status === 'idle';
}"""
RUN_ALL = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
TIDY = """() => {
    const { commands, shell } = window.jupyterapp;
    if (!shell.leftCollapsed) commands.execute('application:toggle-left-area');
    if (!shell.rightCollapsed) commands.execute('application:toggle-right-area');
}"""
TOP = "() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "quickstart.png")
    parser.add_argument("--notebook", type=Path, default=ROOT / "notebooks" / "01-quickstart.ipynb")
    parser.add_argument("--height", type=int, default=1100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(arguments.notebook, folder)
        with jupyterlab(Path(folder)) as url, browser(arguments.height) as page:
            base, _, query = url.partition("?")
            page.goto(f"{base}/tree/{arguments.notebook.name}?{query}")
            page.wait_for_function(READY)
            page.evaluate(TIDY)
            page.evaluate(RUN_ALL)
            page.wait_for_function(DONE, timeout=180_000)
            page.evaluate(TOP)
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)
            page.screenshot(path=arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab of its own in `folder`; gives its address with the token."""
    keep = folder / ".jupyter"
    environ = os.environ | {
        "JUPYTER_CONFIG_DIR": str(keep),
        "JUPYTER_RUNTIME_DIR": str(keep / "runtime"),
        "IPYTHONDIR": str(keep / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(keep / "settings"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    enable = "--ServerApp.jpserver_extensions={'lmnb': True}"
    quiet = keep / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false"}')
    token = secrets.token_hex(16)
    own = [enable, f"--IdentityProvider.token={token}", f"--notebook-dir={folder}"]
    command = [sys.executable, "-m", "jupyterlab", *LAB_FLAGS, *own]
    server = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if match := re.search(r"http://127\.0\.0\.1:\d+/lab", line):
                # Somebody must go on reading, or the server stops when the pipe is full.
                threading.Thread(target=server.stderr.read, daemon=True).start()
                yield f"{match[0]}?token={token}"
                return
        raise SystemExit("JupyterLab did not start")
    finally:
        server.terminate()
        server.wait()


@contextmanager
def browser(height: int) -> Iterator[Page]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium.new_page(viewport={"width": 1100, "height": height})
        chromium.close()


if __name__ == "__main__":
    main()
