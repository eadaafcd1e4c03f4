"""The examples of the documentation, run from top to bottom on a real server and a real model."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter

from lmnb.notebook.cell.chat_options import CELL_OPTIONS, cell_parser
from lmnb.notebook.options import split
from tests.notebook.kernels import ROOT
from tests.server.spawn import Server, jupyter_server

TOKEN = "docs-token"
LOAD = "%load_ext lmnb\n%lms load smollm2-135m-instruct -c 2048 --parallel 4"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    option = f"--IdentityProvider.token={TOKEN}"
    folder = tmp_path_factory.mktemp("server")
    with jupyter_server(folder, option, PYTHONPATH=str(ROOT)) as server:
        yield server


def blocks(page: str) -> list[tuple[str, str]]:
    """Each code block's language, and its code."""
    return BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["notebook.md", "python.md"])
def test_the_examples_run_without_a_person(page: str, server: Server, tmp_path: Path) -> None:
    """By papermill, as in a batch run; and what is saved reads the same in HTML and Markdown."""
    cells = [LOAD, *(code for language, code in blocks(page) if language == "python")]
    assert len(cells) > 5
    source, ran = tmp_path / "page.ipynb", tmp_path / "ran.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    nbformat.write(notebook, source)
    command = ["papermill", "--kernel", "python3", "--no-progress-bar", str(source), str(ran)]
    env = {"LMNB_BASE_URL": server.url, "LMNB_API_KEY": TOKEN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
    )
    result = nbformat.read(ran, as_version=4)
    outputs = [output for cell in result.cells for output in cell.get("outputs", ())]
    assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert done.returncode == 0, done.stderr[-3000:]
    for data in (output["data"] for output in outputs if "data" in output):
        assert "text/plain" in data
    if page == "notebook.md":
        assert_reads_well(result)


def assert_reads_well(notebook: nbformat.NotebookNode) -> None:
    html, _ = HTMLExporter().from_notebook_node(notebook)
    markdown, _ = MarkdownExporter().from_notebook_node(notebook)
    for text in (html, markdown):
        assert "tokens/s" in text
        assert "sent sales: table, 3 rows by 2 columns" in text
        assert "18 degrees" in text  # the tool's result
        assert "IPython.core.display" not in text


def test_every_cell_in_the_documentation_can_be_parsed() -> None:
    pages = ("notebook.md", "python.md")
    lines = [
        line.removeprefix("%%lms")
        for page in pages
        for _, code in blocks(page)
        for line in code.splitlines()
        if line.startswith("%%lms")
    ]
    assert len(lines) >= 5
    for line in lines:
        cell_parser().parse_line(split(line))


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| `")]
    for option in CELL_OPTIONS:
        assert any(option.flags[-1] in line for line in table), option.flags
