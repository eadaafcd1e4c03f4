"""Code completion in a cell, by a model that fills in what stands between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.labextension import fim
from tests.labextension.lab import jupyterlab
from tests.labextension.notebooks import wait_for_kernel, wait_for_source, write_notebook
from tests.labextension.pages import Panel, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    fim.write_model(folder / "models" / "coder.gguf")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A JupyterLab with a model that can fill in."""
    env = {
        "LMNB_MODEL_PATH": str(folder / "models"),
        "HF_HUB_CACHE": str(folder),
        fim.LOG: str(folder / "asked.jsonl"),
    }
    factory = "--LMNBApp.engine_factory=tests.labextension.fim.start_engine"
    guard = "--LMNBApp.guardrail=off"
    with jupyterlab(folder, factory, guard, **env) as server:
        assert server.url, server.log
        write_notebook(folder / "files" / "code.ipynb", "import math", "", "area(2)")
        yield server.url


@pytest.fixture
def cell(page: Page, url: str) -> Locator:
    """The cell in the middle of the notebook, being edited, with a model chosen in the panel."""
    panel = Panel(page)
    panel.visit(f"{url}/tree/code.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page)
    panel.open()
    choose(panel, True)
    cell = page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content")
    cell.click()
    return cell


def choose(panel: Panel, wanted: bool) -> None:
    box = panel.row("coder").get_by_label("Completes code while I type")
    if box.is_checked() != wanted:
        box.click()
    expect(box).to_be_checked(checked=wanted)


def asked(folder: Path) -> list[dict[str, Any]]:
    """What the engine was asked, the last one last."""
    log = folder / "asked.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_completion_is_streamed_and_accepted(page: Page, cell: Locator, folder: Path) -> None:
    page.keyboard.insert_text("def area(r):\n    return")
    page.keyboard.type(" ")
    expect(cell.locator(".jp-GhostText")).to_have_text("math.pi * r ** 2")
    page.keyboard.press("Alt+End")
    wait_for_source(page, 1, "def area(r):\n    return math.pi * r ** 2")
    assert {
        "before": "import math\n\ndef area(r):\n    return ",
        "after": "\n\narea(2)",
    } in asked(folder)


def test_typing_on_ends_what_no_longer_fits(page: Page, cell: Locator, folder: Path) -> None:
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("slo")
    page.keyboard.type("w")
    until(page, lambda: [one for one in asked(folder) if one.get("before", "").endswith("slow")])
    page.keyboard.type("er")
    until(page, lambda: {"cancelled": True} in asked(folder))


def test_without_a_model_nothing_is_asked(page: Page, cell: Locator, folder: Path) -> None:
    choose(Panel(page), False)
    before = len(asked(folder))
    cell.click()
    page.keyboard.type("x = ")
    page.wait_for_timeout(800)
    assert len(asked(folder)) == before
