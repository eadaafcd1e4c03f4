"""The notebook's widgets in a real JupyterLab, by mouse and keyboard."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.hub import Fault
from tests.hub.models import SMOLLM2
from tests.labextension.conftest import Lab
from tests.labextension.notebooks import wait_for_kernel, write_notebook
from tests.labextension.pages import LOAD_MS, Panel
from tests.labextension.test_accessible import serious

FILE = f"{SMOLLM2}/SmolLM2-135M-Instruct-Q4_1.gguf"
MODEL = "smollm2-135m-instruct"
NAMES = ("", ", as a number")
"""Of a slider, and of the box beside it."""


def run_notebook(page: Page, lab: Lab, name: str, *sources: str) -> None:
    """A new notebook with these cells, all of them run."""
    write_notebook(lab.files / name, *sources)
    panel = Panel(page)
    panel.visit(f"{lab.server.url}/tree/{name}")
    wait_for_kernel(page)
    panel.command("notebook:run-all-cells")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.slow
def test_from_the_hub_to_a_conversation_that_stays(page: Page, lab: Lab, pictures: Path) -> None:
    run_notebook(page, lab, "studio.ipynb", "import lmnb\nlmnb.Studio()")
    tab(page, "Find")
    page.get_by_label("Search", exact=True).fill("smollm2")
    page.keyboard.press("Enter")
    found = page.locator(".widget-vbox", has_text=SMOLLM2).last
    offer = found.locator("option", has_text="Q4_1").inner_text()
    found.get_by_label("Quantisation").select_option(label=offer)
    lab.hub.arm(FILE, Fault(bytes_per_second=2_000_000))
    found.get_by_role("button", name="Download").click()
    page.get_by_role("button", name=re.compile("Pause")).click()
    expect(page.get_by_text("paused").first).to_be_visible()
    assert not serious(page, ".jp-OutputArea")
    page.screenshot(path=pictures / "widget-search.png")
    page.get_by_role("button", name=re.compile("Resume")).click()
    expect(page.get_by_text("completed").first).to_be_visible(timeout=LOAD_MS)

    tab(page, "Load")
    models = page.get_by_label("Model", exact=True).first
    expect(models).to_contain_text("bartowski")
    downloaded = models.locator("option", has_text="bartowski").inner_text()
    models.select_option(downloaded)
    saved = page.locator("details", has_text="Saved with the notebook")
    expect(saved).to_contain_text(f"{downloaded}: ")  # its settings are here
    expect(page.get_by_text("looking at")).to_be_hidden()
    needed = page.get_by_role("img", name=re.compile("needed"))
    before = needed.get_attribute("aria-label")
    # There is no GPU here, and it says so.
    expect(page.get_by_label("GPU layers", exact=True)).to_be_disabled()
    expect(page.get_by_text("without support for GPUs")).to_be_visible()
    slider, number = (page.get_by_label(f"Context, tokens{more}", exact=True) for more in NAMES)
    expect(number).to_have_value("4096")
    slider.press("End")
    expect(number).to_have_value("8192")
    expect(needed).not_to_have_attribute("aria-label", before or "")
    button(page, "Load").click()
    expect(page.get_by_text("is loaded, in")).to_be_visible(timeout=LOAD_MS)
    assert not serious(page, ".jp-OutputArea")
    page.screenshot(path=pictures / "widget-loader.png")

    tab(page, "Chat")
    talk(page, downloaded, pictures)

    page.keyboard.press("Control+s")
    saved = lab.files / "studio.ipynb"
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    texts = json.dumps(json.loads(saved.read_text())["cells"][0]["outputs"])
    assert "Saved with the notebook" in texts
    assert "Write a poem" in texts


def talk(page: Page, model: str, pictures: Path) -> None:
    """By keyboard: ask, stop, ask for another answer, edit."""
    chat = page.get_by_label("Chat with a local model")
    chat.get_by_label("Model", exact=True).first.select_option(model)
    chat.get_by_text("System message and sampling").click()
    chat.get_by_label("Temperature").fill("0")  # by chance a poem may be a short one
    chat.get_by_label("Temperature").press("Tab")
    box = chat.get_by_label("Message", exact=True)
    box.fill("Write a poem of a hundred lines about the sea.")
    box.press("Enter")
    answer = chat.locator(".lmnb-assistant .lmnb-body")
    expect(answer).to_contain_text(re.compile(r"\w+ \w+"), timeout=LOAD_MS)
    page.keyboard.press("Escape")
    expect(chat.locator(".lmnb-assistant footer")).to_contain_text("interrupted")
    chat.get_by_title("Another answer").click()
    expect(chat.get_by_title("Stop the answer (Escape)")).to_be_visible()
    chat.get_by_title("Stop the answer (Escape)").click()
    expect(chat.locator(".lmnb-assistant footer")).to_contain_text("2 of 2")
    chat.get_by_label("Longest answer, tokens").fill("24")
    chat.get_by_label("Longest answer, tokens").press("Tab")
    chat.get_by_title("Edit and send again").click()
    chat.get_by_label("Edit the message").fill("Write a poem of one line.")
    page.keyboard.press("Enter")
    expect(chat.locator(".lmnb-user footer")).to_contain_text("2 of 2")
    expect(chat.locator(".lmnb-assistant footer")).to_contain_text("tokens/s", timeout=LOAD_MS)
    expect(chat.get_by_text(re.compile(r"\d+ of [\d,]+ tokens"))).to_be_visible()
    assert not serious(page, ".jp-OutputArea")
    page.screenshot(path=pictures / "widget-chat.png")


def test_a_conversation_becomes_cells(page: Page, lab: Lab) -> None:
    ask = "chat.ask('Say hello.')\nimport time\nwhile chat.busy: time.sleep(0.1)"
    source = f"import lmnb\nchat = lmnb.Chat('{MODEL}', temperature=0, max_tokens=5)\nchat"
    run_notebook(page, lab, "cells.ipynb", source, ask)
    expect(page.locator(".lmnb-assistant footer")).to_contain_text("tokens/s", timeout=LOAD_MS)
    button(page, "Put the conversation into cells of the notebook").click()
    asked = page.locator(".jp-Cell", has_text=f"%%lms -m {MODEL}")
    expect(asked).to_contain_text("Say hello.")
    expect(asked.locator(".jp-OutputArea")).to_contain_text("tokens/s")


def test_models_side_by_side_and_token_by_token(page: Page, lab: Lab, pictures: Path) -> None:
    options = "prompt='Say hello.', temperature=0, max_tokens=8"
    compare = f"import lmnb\nlmnb.Compare('{MODEL}', 'no-such-model', {options})"
    run_notebook(page, lab, "compare.ipynb", compare, f"lmnb.Tokens('{MODEL}', max_tokens=6)")
    button(page, "Ask all").click()
    expect(page.get_by_text("no-such-model' here").first).to_be_visible(timeout=LOAD_MS)
    expect(page.get_by_text("tokens/s").first).to_be_visible(timeout=LOAD_MS)
    page.get_by_label("Question").last.fill("Name a fruit.")
    button(page, "Ask").click()
    token = page.locator(".lmnb-token").first
    expect(token).to_be_visible(timeout=LOAD_MS)
    token.focus()
    expect(token.locator("table")).to_be_visible()
    expect(token).to_have_attribute("aria-label", re.compile(r": \d+%"))
    assert not serious(page, ".jp-OutputArea")
    page.screenshot(path=pictures / "widget-tokens.png")


@pytest.mark.slow
def test_running_a_cell_again_and_again_leaves_one_widget(page: Page, lab: Lab) -> None:
    count = (
        "import time\nfrom ipywidgets.widgets.widget import _instances\n"
        "pages = studio.search, studio.loader, studio.compare, studio.tokens\n"
        "while any(page._tasks for page in pages):\n"
        "    time.sleep(0.05)  # until what the server says has been drawn\n"
        "print('widgets:', len(_instances))"
    )
    source = f"import lmnb\nstudio = lmnb.Studio('{MODEL}')\nstudio"
    run_notebook(page, lab, "again.ipynb", source, count)
    first = printed(page, 1)
    for _ in range(10):
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    assert printed(page, 1) == first


def printed(page: Page, number: int) -> str:
    """What a cell wrote, even where it is scrolled out of sight."""
    read = """number => {
        const cell = window.jupyterapp.shell.currentWidget.content.widgets[number].model;
        return cell.sharedModel.outputs.map(output => output.text).join('');
    }"""
    page.wait_for_function(f"() => ({read})({number})")
    return str(page.evaluate(read, number))
