"""`%lms history`, `export`, `reset` and `fix`."""

import json
from pathlib import Path

import nbformat

from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer

ASKED = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello there."}]


def test_the_history_is_shown_and_is_data(kernel: Kernel) -> None:
    assert "No conversation yet" in kernel.run("%lms history").stream()
    kernel.run("%%lms -s 'Be kind.'\nHello?")
    ran = kernel.run("%lms history")
    assert "1 turn." in ran.text()
    assert "<table>" in ran.text("text/html")
    kernel.run("messages = %lms history --json")
    assert kernel.value("list(messages)") == [{"role": "system", "content": "Be kind."}, *ASKED]


def test_a_conversation_is_exported_by_the_files_ending(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%%lms -s 'Be kind.'\nHello?")
    for name in ("a.md", "a.json", "a.jsonl", "a.ipynb"):
        assert "is in" in kernel.run(f"%lms export {tmp_path}/{name}").stream()
    assert (tmp_path / "a.md").read_text() == (
        "## System\n\nBe kind.\n\n## You\n\nHello?\n\n## Model\n\nHello there.\n"
    )
    (turn,) = json.loads((tmp_path / "a.json").read_text())["turns"]
    assert (turn["messages"], turn["model"]) == (ASKED, "tiny")
    assert turn["usage"]["total_tokens"] == 12
    openai = json.loads((tmp_path / "a.jsonl").read_text())
    assert openai["messages"] == [{"role": "system", "content": "Be kind."}, *ASKED]
    notebook = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    nbformat.validate(notebook)
    _, cell = notebook.cells
    assert cell.source == "%%lms --raw -m tiny -s 'Be kind.'\nHello?"
    assert cell.outputs[0].data["text/markdown"] == "Hello there."


def test_an_export_replaces_no_file_unasked(kernel: Kernel, tmp_path: Path) -> None:
    ran = kernel.run(f"%lms export {tmp_path}/a.md")
    assert "no conversation yet" in ran.stream("stderr")
    kernel.run("%%lms\nHello?")
    (tmp_path / "a.md").write_text("mine")
    assert "`--force` replaces it" in kernel.run(f"%lms export {tmp_path}/a.md").stream("stderr")
    assert (tmp_path / "a.md").read_text() == "mine"
    assert kernel.run(f"%lms export {tmp_path}/a.md --force").status == "ok"
    said = kernel.run(f"%lms export {tmp_path}/a.txt").stream("stderr")
    assert ".md, .json, .jsonl, .ipynb" in said


def test_fix_explains_the_failed_cell_and_puts_the_corrected_one_below(
    kernel: Kernel, stub: StubServer
) -> None:
    kernel.run("values = [1, 2]\nprint(values[2])")
    stub.answer = ["The list has two items.\n", "```python\nvalues = [1, 2]\nprint(values[1])\n```"]
    ran = kernel.run("%lms fix")
    asked = stub.prompts[-1]
    assert "```python\nvalues = [1, 2]\nprint(values[2])\n```" in asked
    assert "IndexError: list index out of range" in asked
    assert "IPython" not in asked  # only the cell's own frames
    assert "The list has two items." in ran.text()
    assert "--apply" in ran.stream() and not ran.payload
    ran = kernel.run("%lms fix --apply")
    assert len(stub.chats) == 1  # what was shown is what is put there
    [payload] = ran.payload
    assert payload["text"] == "values = [1, 2]\nprint(values[1])"
    assert (payload["source"], payload["replace"]) == ("set_next_input", False)
    kernel.run("%%lms\nhi")
    assert [m["content"] for m in stub.chats[-1]["messages"]] == ["hi"]


def test_fix_reads_syntax_errors_and_skips_our_own(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("for x in y\n    pass")
    kernel.run("%lms nonsense")
    stub.answer = ["No code here."]
    ran = kernel.run("%lms fix")
    assert "SyntaxError" in stub.prompts[-1] and "for x in y" in stub.prompts[-1]
    assert "gave no corrected cell" in ran.stream("stderr")
