"""What can go wrong with a download, and how a model is deleted."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.hub import Fault
from tests.hub.models import TINY
from tests.labextension.conftest import Lab
from tests.labextension.pages import LOAD_MS, Panel, until

FILE = f"{TINY}/Tiny-Llama-Q8_0.gguf"


def test_a_download_that_fails_says_why_and_is_tried_again(panel: Panel, lab: Lab) -> None:
    root = panel.root
    panel.button("Discover").click()
    root.get_by_label("Search models").fill("tiny-llama")
    found = panel.row(TINY)
    found.get_by_label("Quantisation").select_option("Q8_0")
    readme = found.get_by_role("link", name=f"README of {TINY}")
    expect(readme).to_have_attribute("href", re.compile(rf"/{TINY}$"))
    lab.hub.arm(FILE, Fault(status=404, times=None))
    found.get_by_role("button", name="Download").click()
    panel.open("Downloads")
    download = panel.row(TINY)
    expect(download).to_contain_text("failed", timeout=LOAD_MS)
    expect(download.get_by_role("alert")).not_to_be_empty()
    lab.hub.faults.clear()
    download.get_by_role("button", name="Retry").click()
    expect(download).to_contain_text("done", timeout=LOAD_MS)
    download.get_by_role("button", name="Load").click()
    expect(root.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")
    root.get_by_role("button", name="My models").click()
    expect(panel.row("tiny-labs/").get_by_text("Loaded", exact=True)).to_be_visible(timeout=LOAD_MS)


def test_a_model_is_deleted_after_a_question(panel: Panel, lab: Lab) -> None:
    row, dialog = panel.row("tiny-labs/"), panel.page.get_by_role("dialog")
    delete = row.get_by_role("button", name="Delete")
    delete.click()
    dialog.get_by_role("button", name="Keep").click()
    expect(row).to_be_visible()
    delete.click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    expect(dialog).to_have_count(0)
    cache = lab.folder / "huggingface"
    until(panel.page, lambda: not [path for path in cache.rglob("*Q8_0*") if path.exists()])


def test_models_that_others_installed_are_not_for_us_to_delete(panel: Panel) -> None:
    row = panel.row("smollm2-135m-instruct")
    expect(row).to_be_visible()
    expect(row.get_by_role("button", name="Delete")).to_have_count(0)
