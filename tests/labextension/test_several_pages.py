"""Two tabs agree; a server that was away is noticed, and all is well when it is back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.labextension.conftest import Lab
from tests.labextension.lab import jupyterlab
from tests.labextension.pages import LOAD_MS, Panel

SMOLLM2 = "smollm2-135m-instruct"


def test_two_tabs_show_the_same(panel: Panel, lab: Lab) -> None:
    other = Panel(panel.page.context.new_page())
    other.visit(lab.server.url)
    other.open()
    panel.load(SMOLLM2)
    expect(other.button(f"Unload: {SMOLLM2}")).to_be_visible()
    expect(other.page.locator(".jp-lmnb-statusitem")).to_contain_text(SMOLLM2)
    other.unload(SMOLLM2)
    expect(panel.button(f"Load: {SMOLLM2}")).to_be_visible()


def test_a_restarted_server_is_found_again(browser: Browser, smollm2: Path, tmp_path: Path) -> None:
    env = {"LMNB_MODEL_PATH": str(smollm2.parent), "HF_HUB_CACHE": str(tmp_path)}
    context = browser.new_context()
    panel = Panel(context.new_page())
    try:
        with jupyterlab(tmp_path, **env) as server:
            port = urlsplit(server.url).port or 0
            panel.visit(server.url)
            panel.open()
            panel.load(SMOLLM2)
        expect(panel.root.get_by_role("alert")).to_contain_text(
            "The server does not answer", timeout=LOAD_MS
        )
        with jupyterlab(tmp_path, port=port, **env):
            expect(panel.root.get_by_role("alert")).to_have_count(0, timeout=LOAD_MS)
            # The new server has nothing loaded, and the panel says so.
            expect(panel.button(f"Load: {SMOLLM2}")).to_be_visible(timeout=LOAD_MS)
    finally:
        context.close()
