"""A real JupyterLab with the built panel, a real Chromium, real models, and a stand-in for the Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.hub import StandInHub, running_hub
from tests.hub.models import default_repositories
from tests.labextension.lab import BUILT, chromium, jupyterlab
from tests.labextension.pages import Panel
from tests.server.spawn import Server

WAIT_MS = 30_000
"""For whatever a page does: on a machine that has other things to do as well."""
CHROMIUM_FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update""".split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Node there is no panel to test, without Chromium nothing to test it with."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if not (BUILT / "package.json").exists():
        reason = "the panel has not been built: `npm ci && npm run build` in labextension/"
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))
    for item in here:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def jp_server_cleanup() -> None:
    """Of pytest-jupyter, for servers inside the test's process. Playwright's loop runs there."""


@pytest.fixture
def jp_asyncio_loop() -> None:
    """The same."""


@dataclass
class Lab:
    """A JupyterLab that runs, and where it keeps its things."""

    server: Server
    folder: Path
    hub: StandInHub

    @property
    def files(self) -> Path:
        """What its file browser shows."""
        return self.folder / "files"


@pytest.fixture(scope="module")
def standin(hub_files: dict[str, Path]) -> Iterator[StandInHub]:
    with running_hub(*default_repositories(hub_files)) as hub:
        yield hub


@pytest.fixture(scope="module")
def lab(
    standin: StandInHub, smollm2: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """Has SmolLM2, and the stand-in for everything else."""
    folder = tmp_path_factory.mktemp("lab")
    env = standin.environ(folder / "huggingface") | {"LMNB_MODEL_PATH": str(smollm2.parent)}
    with jupyterlab(folder, **env) as server:
        assert server.url, server.log
        yield Lab(server, folder, standin)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Gone before the tests of other folders: its event loop runs in this thread."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: set CHROMIUM to one")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page wrote on its console. A test that expects some clears them."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page without history, which may not complain on its console."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints


@pytest.fixture
def panel(page: Page, lab: Lab) -> Panel:
    """The panel in a JupyterLab that has just been opened."""
    panel = Panel(page)
    panel.visit(lab.server.url)
    panel.open()
    return panel


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; $LMNB_SCREENSHOTS keeps them."""
    kept = os.environ.get("LMNB_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
