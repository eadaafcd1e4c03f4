"""The panel in Notebook 7, as far as it has the places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.labextension.lab import jupyterlab
from tests.labextension.notebooks import wait_for_kernel, write_notebook
from tests.labextension.pages import LOAD_MS, Panel

SMOLLM2 = "smollm2-135m-instruct"
TALK = (
    "%load_ext lmnb",
    "%%lms -t 0 --max-tokens 20\nName a colour.",
    "import lmnb\nlmnb.Chat(temperature=0, max_tokens=20)",
)


@pytest.fixture(scope="module")
def url(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("notebook")
    env = {"LMNB_MODEL_PATH": str(smollm2.parent), "HF_HUB_CACHE": str(folder)}
    with jupyterlab(folder, app="notebook", **env) as server:
        assert server.url, server.log
        write_notebook(folder / "files" / "hello.ipynb", "1 + 1")
        write_notebook(folder / "files" / "talk.ipynb", *TALK)
        yield server.url.removesuffix("/tree")


@pytest.fixture(autouse=True)
def our_complaints(page: Page, complaints: list[str]) -> Iterator[None]:
    """Notebook 7.6 complains about itself, with and without us."""
    yield
    complaints[:] = [one for one in complaints if "lmnb" in one]


def test_the_panel_is_beside_the_notebook(page: Page, url: str, pictures: Path) -> None:
    panel = Panel(page)
    panel.visit(f"{url}/notebooks/hello.ipynb")
    wait_for_kernel(page)
    panel.open()
    panel.load(SMOLLM2)
    panel.open("Try it")
    panel.be_brief()
    panel.say("Name a colour.")
    assert panel.answer()
    panel.button("Send to notebook").click()
    expect(page.locator(".jp-Notebook .jp-Cell").nth(1)).to_contain_text("Name a colour.")
    page.screenshot(path=pictures / "notebook7.png")


def test_cells_and_widgets_answer(page: Page, url: str, pictures: Path) -> None:
    panel = Panel(page)
    panel.visit(f"{url}/notebooks/talk.ipynb")
    wait_for_kernel(page)
    panel.command("notebook:run-all-cells")
    facts = page.locator(".jp-OutputArea-output sub", has_text="tokens/s")
    expect(facts).to_be_visible(timeout=LOAD_MS)
    chat = page.get_by_label("Chat with a local model")
    box = chat.get_by_label("Message", exact=True)
    box.fill("Name an animal.")
    box.press("Enter")
    expect(chat.locator(".lmnb-assistant footer")).to_contain_text("tokens/s", timeout=LOAD_MS)
    page.screenshot(path=pictures / "notebook7-chat.png")


def test_the_file_list_works_without_what_it_has_no_place_for(page: Page, url: str) -> None:
    panel = Panel(page)
    panel.visit(f"{url}/tree")
    expect(page.get_by_text("hello.ipynb").first).to_be_visible()
    page.get_by_role("tab", name="Running").click()
    expect(page.get_by_text("Local Models")).to_be_visible()
