#!/usr/bin/env python3
"""Makes the pictures of docs/: JupyterLab with the notebooks, run for real.

    python docs/screenshot.py [NAME ...] [--out FOLDER]

Needs the `demo` and `test` extras and a Chromium ($CHROMIUM, or the first one on the path).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180_000
CHROMIUM_FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update""".split()
LAB_FLAGS = """--no-browser --allow-root --port=0 --expose-app-in-browser
    --ServerApp.open_browser=False --LabApp.news_url=None --LabApp.extension_manager=readonly
    --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate""".split()
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
"""No question about news; and cells are there when they are out of sight, too."""
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


QUESTIONS = (
    "What is the capital of France, and what is it known for?",
    "Name three sights there, as a list.",
)


@dataclass(frozen=True)
class Picture:
    """One of docs/*.png: a notebook, run up to the cell with the text `until` in it."""

    notebook: str
    take: Callable[[Page], Locator | Page]
    """Does what a person would do, and gives what the picture shows."""
    until: str = ""
    height: int = 1100


def top(page: Page) -> Page:
    page.evaluate(TOP)
    return page


def figure(page: Page) -> Locator:
    return page.locator(".jp-OutputArea-output img").last


def panel(page: Page) -> Locator:
    expect(page.get_by_role("img", name=re.compile("free of"))).to_be_visible()
    return page.locator(".lmnb-panel")


def chat(page: Page) -> Locator:
    box = page.get_by_label("Message", exact=True)
    sampling = page.get_by_text("System message and sampling")
    sampling.click()
    for label, value in (("Temperature", "0"), ("Longest answer, tokens", "150")):
        page.get_by_label(label).fill(value)
        page.get_by_label(label).press("Tab")
    sampling.click()
    for question in QUESTIONS:
        answers = page.locator(".lmnb-assistant footer", has_text="tokens/s")
        before = answers.count()
        box.fill(question)
        box.press("Enter")
        expect(answers).to_have_count(before + 1, timeout=PATIENCE)
    return page.locator(".lmnb-chat")


def comparison(page: Page) -> Locator:
    page.get_by_role("button", name="Ask all", exact=True).click()
    expect(page.locator(".lmnb-panel section", has_text="tokens/s")).to_have_count(
        3, timeout=PATIENCE
    )
    return page.locator(".lmnb-panel")


PICTURES = {
    "quickstart": Picture("01-quickstart", top),
    "chat": Picture("01-quickstart", chat, until="lmnb.Chat()"),
    "tutorial-embeddings": Picture("05-embeddings", figure, until="plt.show()"),
    "tutorial-compare": Picture("06-quantisations", comparison, until="lmnb.Compare("),
    "tutorial-loader": Picture("07-memory-and-gpu", panel, until="lmnb.Loader("),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PICTURES):
        parser.error(f"unknown: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as url:
        for name in arguments.names or PICTURES:
            path = arguments.out / f"{name}.png"
            take(PICTURES[name], Path(folder), url, path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def take(picture: Picture, folder: Path, url: str, path: Path) -> None:
    notebook = f"{picture.notebook}.ipynb"
    (folder / notebook).write_text(beginning(ROOT / "notebooks" / notebook, picture.until))
    base, _, query = url.partition("?")
    with browser(picture.height) as page:
        page.goto(f"{base}/tree/{notebook}?{query}&reset")
        page.wait_for_function(READY)
        page.evaluate(TIDY)
        page.evaluate(RUN_ALL)
        page.wait_for_function(DONE, timeout=PATIENCE)
        shown = picture.take(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        shown.screenshot(path=path)
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def beginning(path: Path, until: str) -> str:
    """A notebook up to the first code cell with `until` in it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    for number, cell in enumerate(cells):
        if until and cell["cell_type"] == "code" and until in "".join(cell["source"]):
            notebook["cells"] = cells[: number + 1]
            break
    return json.dumps(notebook)


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab of its own in `folder`; gives its address with the token."""
    keep = folder / ".jupyter"
    environ = os.environ | {
        "HF_HUB_CACHE": str(keep / "huggingface"),
        "IPYTHONDIR": str(keep / "ipython"),
        "JUPYTER_CONFIG_DIR": str(keep),
        "JUPYTER_DATA_DIR": str(keep / "data"),
        "JUPYTER_RUNTIME_DIR": str(keep / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(keep / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(keep / "workspaces"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    for name, values in SETTINGS.items():
        settings = keep / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(values))
    enable = "--ServerApp.jpserver_extensions={'lmnb': True}"
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
