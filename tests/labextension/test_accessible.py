"""axe finds nothing serious on any screen, in light and in dark; and what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.labextension.lab import ROOT
from tests.labextension.pages import Panel

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
SMOLLM2 = "smollm2-135m-instruct"
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


@pytest.mark.parametrize("theme", THEMES)
def test_every_screen_is_accessible(panel: Panel, theme: str, pictures: Path) -> None:
    if not AXE.exists():
        pytest.skip("no axe: `npm ci` in labextension/")
    page = panel.page
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    name = theme.removeprefix("JupyterLab ").lower().replace(" ", "-")
    if panel.button(f"Load: {SMOLLM2}").is_visible():
        panel.load(SMOLLM2)
    screens = {
        "models": lambda: panel.button(f"Load settings: {SMOLLM2}").click(),
        "discover": lambda: discover(panel),
        "downloads": lambda: panel.open("Downloads"),
        "server": lambda: server(panel),
        "chat": lambda: chat(panel),
    }
    for screen, show in screens.items():
        show()
        assert serious(page, "#lmnb-panel", ".jp-lmnb-statusitem") == [], screen
        page.screenshot(path=pictures / f"{screen}-{name}.png")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', "
        "{theme: 'JupyterLab Light'})"
    )


def discover(panel: Panel) -> None:
    panel.button("Discover").click()
    expect(panel.root.locator(".jp-lmnb-row").first).to_be_visible()


def server(panel: Panel) -> None:
    panel.open("Server")
    panel.root.get_by_text("Log", exact=True).click()


def chat(panel: Panel) -> None:
    panel.open("Try it")
    panel.root.get_by_label("Model").select_option(SMOLLM2)
    panel.be_brief()
    panel.say("What is a notebook?")
    assert panel.answer()


def serious(page: Page, *parts: str) -> list[dict[str, Any]]:
    """What axe finds in these parts of the page that keeps somebody out."""
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate(
        "parts => axe.run({include: parts.map(part => [part])}, {resultTypes: ['violations']})",
        parts,
    )
    return [
        {"rule": one["id"], "nodes": [node["html"][:200] for node in one["nodes"]]}
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
