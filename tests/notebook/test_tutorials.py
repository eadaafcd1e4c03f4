"""The tutorials, run from top to bottom on a real server and a real model, without the internet."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import NotebookNode

from tests.notebook.kernels import ISOLATED, ROOT
from tests.server.spawn import Server, jupyter_server

TOKEN = "tutorial-token"
TUTORIALS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)#\s]+)")


@dataclass
class Ran:
    """A tutorial that ran, and its kernel, which still knows everything."""

    notebook: NotebookNode
    client: NotebookClient

    @property
    def outputs(self) -> list[NotebookNode]:
        return [one for cell in self.notebook.cells for one in cell.get("outputs", ())]

    def output_of(self, beginning: str) -> NotebookNode:
        """The first output of the cell that begins so."""
        cells = (cell for cell in self.notebook.cells if cell.source.startswith(beginning))
        return next(cells).outputs[0]

    def value(self, expression: str) -> Any:
        """What an expression is there, through its repr."""
        self.notebook.cells.append(nbformat.v4.new_code_cell(f"print(repr({expression}))"))
        self.client.execute_cell(self.notebook.cells[-1], len(self.notebook.cells) - 1)
        return eval(self.notebook.cells.pop().outputs[0].text)


Run = Callable[[str], AbstractContextManager[Ran]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    option, folder = f"--IdentityProvider.token={TOKEN}", tmp_path_factory.mktemp("server")
    with jupyter_server(folder, option, PYTHONPATH=str(ROOT), HF_HUB_OFFLINE="1") as server:
        yield server


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kept = {name: value for name, value in os.environ.items() if name not in ISOLATED}
    own = {
        "LMNB_BASE_URL": server.url,
        "LMNB_API_KEY": TOKEN,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }

    @contextmanager
    def run(name: str) -> Iterator[Ran]:
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        client = NotebookClient(notebook, timeout=120)
        with client.setup_kernel(env=kept | own):
            for number, cell in enumerate(notebook.cells):
                client.execute_cell(cell, number)
            client.set_widgets_metadata()
            ran = Ran(notebook, client)
            complaints = [one.text for one in ran.outputs if one.get("name") == "stderr"]
            assert not complaints
            yield ran

    return run


@pytest.mark.filterwarnings("ignore")
def test_the_quick_start_reads_well_afterwards(run: Run) -> None:
    with run("01-quickstart") as tutorial:
        answer = tutorial.output_of("%%lms").data["text/markdown"]
        html, _ = HTMLExporter().from_notebook_node(tutorial.notebook)
        markdown, _ = MarkdownExporter().from_notebook_node(tutorial.notebook)
    assert "Paris" in answer
    assert answer.splitlines()[0] in markdown
    assert "tokens/s" in html
    assert "IPython.core.display" not in html


def test_the_openai_sdk(run: Run) -> None:
    with run("02-openai-sdk") as tutorial:
        assert "Paris" in tutorial.output_of("from openai import OpenAI\n").text
        assert tutorial.value("len(definitions)") == 3
        assert tutorial.value("city.name") == "Paris"
        assert tutorial.value("second.previous_response_id == first.id")
        assert "smollm2-135m-instruct" in tutorial.value("no_such_model.body['message']")
        assert re.search(r"20\d{3} .* 4096", tutorial.value("too_long.body['message']"))
        assert not [one for one in tutorial.outputs if TOKEN in str(one)]


def test_answers_as_a_table(run: Run) -> None:
    with run("03-structured-output") as tutorial:
        moods = tutorial.value("verdicts['mood'].tolist()")
        assert moods == ["good", "bad", "bad", "good", "bad", "good"]
        assert tutorial.value("again.equals(first)")
        assert tutorial.value("people['age'].tolist()") == [34, 52, 81, 28]
        assert tutorial.value("bool(people['error'].isna().all())")
        assert tutorial.value("(maria.name, maria.age)") == ("Maria Lopez", 81)


def test_tools(run: Run) -> None:
    with run("04-tools") as tutorial:
        assert tutorial.value("reply.calls[0].result") == "18 degrees and sunny"
        assert tutorial.value("asked.calls[0].outcome") != "done"
        assert tutorial.value("wish.tool_calls[0].function.name") == "weather"
        assert tutorial.value("messages[-1]['content']") == "18 degrees and sunny"


def test_search_by_meaning(run: Run) -> None:
    with run("05-embeddings") as tutorial:
        nearest = "documents['file'][int(row)] for row in np.argsort(vectors @ vectors.T)[:, -2]"
        assert tutorial.value(f"[{nearest}] == documents['file'].tolist()")
        assert "hotel" in tutorial.value("found")
        assert [one for one in tutorial.outputs if "image/png" in one.get("data", {})]


def test_comparing_quantisations(run: Run) -> None:
    with run("06-quantisations") as tutorial:
        size, perplexity = (
            tutorial.value(f"measured['{column}'].tolist()")
            for column in ("size, MB", "perplexity")
        )
        assert size == sorted(size)
        assert all(1 < one < 100 for one in perplexity)
        assert abs(perplexity[2] / perplexity[1] - 1) < 0.05
        assert tutorial.value("[one['key'] for one in lmnb.models()]") == ["smollm2-135m-instruct"]


def test_memory_and_gpu(run: Run) -> None:
    with run("07-memory-and-gpu") as tutorial:
        cache = tutorial.value("by_length['KV cache'].tolist()")
        assert cache[-1] == pytest.approx(16 * cache[0], rel=0.01)
        assert tutorial.value("bool((by_type['f16'] > by_type['q8_0']).all())")
        assert tutorial.value("float(by_type.loc[8192, 'f16'])") == pytest.approx(cache[-1])


def test_sharing_on_jupyterhub(run: Run) -> None:
    with run("08-jupyterhub") as tutorial:
        assert "access:servers!user=" in tutorial.output_of('print(f"access').text
        assert tutorial.value("estimate['fit']") in ("cpu", "full_gpu")


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_they_are_saved_without_outputs_and_their_links_lead_somewhere(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    missing = [
        link
        for link in LINK.findall(prose)
        if "://" not in link and not (path.parent / link).exists()
    ]
    assert not missing
