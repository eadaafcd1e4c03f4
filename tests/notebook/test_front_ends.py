"""Widgets where there are none: in saved notebooks and batch runs."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import NotebookNode

from tests.notebook.kernels import ISOLATED, ROOT
from tests.notebook.stub_server import KEY, StubServer

WIDGETS = ("Chat", "Compare", "Loader", "Search", "Studio", "Tokens")
ASK = """
chat.ask("Hi")
import time
while chat.busy: time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def executed(stub_server: StubServer, tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """Every widget, shown in a batch run; and a chat that was asked."""
    stub_server.reset()
    sources = ["import lmnb\nchat = lmnb.Chat('tiny')\nchat", ASK]
    sources += [f"lmnb.{name}()" for name in WIDGETS]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    env = {name: value for name, value in os.environ.items() if name not in ISOLATED}
    env |= {
        "LMNB_BASE_URL": stub_server.base_url,
        "LMNB_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }
    NotebookClient(notebook, timeout=60).execute(env=env)
    return notebook


def test_a_front_end_without_widgets_is_told_what_does_the_same(executed: NotebookNode) -> None:
    for cell, name in zip(executed.cells[2:], WIDGETS, strict=True):
        data = cell.outputs[0].data
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["text/markdown"].startswith(f"lmnb.{name}() shows itself in JupyterLab")
        assert data["text/plain"] == data["text/markdown"]
        assert "`" in data["text/plain"].partition("Without widgets: ")[2]


@pytest.mark.filterwarnings("ignore")
def test_a_conversation_can_be_read_without_its_kernel(executed: NotebookNode) -> None:
    html, _ = HTMLExporter().from_notebook_node(executed)
    markdown, _ = MarkdownExporter().from_notebook_node(executed)
    for text in (html, markdown):
        assert "Hello there." in text
        assert "Traceback" not in text
    assert "lmnb.Studio() shows itself" in markdown
