"""Where else people look: status bar, running panel, launcher, files, cells, settings, palette."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Request, expect

from tests.labextension.conftest import Lab
from tests.labextension.notebooks import (
    source_of,
    wait_for_kernel,
    wait_for_source,
    write_notebook,
)
from tests.labextension.pages import LOAD_MS, Panel

SMOLLM2 = "smollm2-135m-instruct"


def test_a_loaded_model_is_in_the_status_bar_and_among_what_runs(panel: Panel) -> None:
    page = panel.page
    panel.load(SMOLLM2)
    status = page.locator(".jp-lmnb-statusitem")
    expect(status).to_contain_text(SMOLLM2)
    expect(status).to_contain_text("MB")
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    item = page.locator(".jp-RunningSessions-item", has_text=SMOLLM2)
    item.hover()
    item.get_by_title("Unload").click()
    expect(item).to_have_count(0, timeout=LOAD_MS)
    status.click()
    expect(panel.button(f"Load: {SMOLLM2}")).to_be_visible()
    expect(status).to_contain_text("No model")


def test_everything_can_be_reached_by_keyboard(panel: Panel) -> None:
    page, root = panel.page, panel.root
    root.get_by_role("tab", name="Models").focus()
    page.keyboard.press("ArrowRight")
    expect(root.get_by_role("tab", name="Downloads")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(root.get_by_role("tab", name="Try it")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Tab")
    expect(root.get_by_label("Model")).to_be_focused()


def test_the_palette_loads_a_model_by_name(panel: Panel) -> None:
    page = panel.page
    panel.command("lmnb:load-model")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").select_option(SMOLLM2)
    dialog.get_by_role("button", name="Ok").click()
    expect(panel.button(f"Unload: {SMOLLM2}")).to_be_visible(timeout=LOAD_MS)
    panel.command("lmnb:unload-model", instance=SMOLLM2)
    expect(panel.button(f"Load: {SMOLLM2}")).to_be_visible(timeout=LOAD_MS)


def test_a_command_that_fails_says_why(panel: Panel, complaints: list[str]) -> None:
    panel.command("lmnb:unload-model", instance="nobody")
    dialog = panel.page.get_by_role("dialog")
    expect(dialog).to_contain_text("nobody")
    dialog.get_by_role("button", name="Close").click()
    assert all("nobody" in one or "404" in one for one in complaints)
    complaints.clear()


def test_a_gguf_file_is_loaded_from_the_file_browser(
    panel: Panel, lab: Lab, hub_files: dict[str, Path]
) -> None:
    page = panel.page
    shutil.copy(hub_files["Q8_0"], lab.files / "tiny.gguf")
    page.get_by_role("tab", name="File Browser").click()
    page.get_by_role("button", name="Refresh").click()
    item = page.locator('.jp-DirListing-item[data-file-type="gguf"]')
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    with page.expect_request(facts_of_the_file):
        item.dblclick()
    expect(page.locator(".jp-lmnb-modelfile")).to_contain_text("tiny.gguf")
    # Neither its content nor a copy of it, which would be gigabytes.
    page.wait_for_timeout(500)
    assert not [one for one in asked if "tiny.gguf" in one and "content=1" in one]
    assert not [one for one in asked if "tiny.gguf" in one and "POST" in one]
    item.click(button="right")
    page.get_by_role("menuitem", name="Load with lmnb").click()
    expect(panel.row("tiny").get_by_text("Loaded", exact=True)).to_be_visible(timeout=LOAD_MS)
    panel.row("tiny").get_by_role("button", name="Unload").click()
    expect(panel.row("tiny").get_by_role("button", name="Load", exact=False).first).to_be_visible()


def facts_of_the_file(request: Request) -> bool:
    return request.method == "GET" and "tiny.gguf?" in request.url and "content=0" in request.url


def test_the_launcher_opens_a_notebook_that_asks_a_model(panel: Panel) -> None:
    page = panel.page
    page.locator(".jp-LauncherCard", has_text="Local Model").click()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page)
    wait_for_source(page, 1, "%load_ext lmnb\n%lms ls")
    assert source_of(page, 2).startswith("%%lms\n")


def test_an_error_is_explained_by_a_cell_of_the_notebook(panel: Panel, lab: Lab) -> None:
    page = panel.page
    panel.load(SMOLLM2)
    write_notebook(lab.files / "error.ipynb", "1 / 0")
    panel.visit(f"{lab.server.url}/tree/error.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page)
    cell = page.locator(".jp-Notebook .jp-Cell").first
    cell.locator(".jp-InputArea-editor").click()
    expect(page.get_by_role("button", name="Explain This Error")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    expect(cell).to_contain_text("ZeroDivisionError: division by zero")
    cell.get_by_role("button", name="Ask a local model what went wrong in this cell").click()
    answer = page.locator(".jp-Notebook .jp-Cell").nth(1)
    expect(answer.locator(".jp-OutputArea")).to_contain_text("tokens/s", timeout=LOAD_MS)
    assert source_of(page, 1).startswith(f"%%lms --model {SMOLLM2} --raw --no-history\n")
    assert "ZeroDivisionError: division by zero" in source_of(page, 1)


def test_the_chat_goes_into_the_notebook_as_a_cell(panel: Panel, lab: Lab) -> None:
    page = panel.page
    write_notebook(lab.files / "chat.ipynb", "1 + 1")
    panel.visit(f"{lab.server.url}/tree/chat.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    panel.open("Try it")
    panel.be_brief()
    panel.say("Name a colour.")
    assert panel.answer()
    panel.button("Send to notebook").click()
    options = "--temperature 0 --max-tokens 24"
    wait_for_source(page, 1, f"%%lms --model {SMOLLM2} {options}\nName a colour.")


def test_the_log_shows_what_happens_and_can_be_filtered(panel: Panel) -> None:
    panel.open("Try it")
    panel.root.get_by_label("Model").select_option(SMOLLM2)
    panel.open("Server")
    panel.root.get_by_text("Log", exact=True).click()
    log = panel.root.get_by_role("log")
    panel.open("Try it")
    panel.be_brief()
    panel.say("Say hello.")
    assert panel.answer()
    panel.open("Server")
    panel.root.get_by_text("Log", exact=True).click()
    expect(log).to_contain_text("POST /lmnb/v1/chat/completions")
    panel.root.get_by_label("Filter the log").fill("api/v1/models")
    expect(log).not_to_contain_text("chat/completions")
    expect(log).to_contain_text("api/v1/models")


def test_settings_are_in_the_settings_editor(panel: Panel) -> None:
    panel.command("settingeditor:open", query="Local models")
    editor = panel.page.locator(".jp-SettingsPanel, .jp-PluginList")
    expect(editor.get_by_text("Local models: code completion").first).to_be_visible()
