"""Verbs in a real kernel: tables are HTML, progress is rewritten in place, nobody is asked unseen."""

from __future__ import annotations

from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer


def test_get_shows_its_choice_and_one_place_of_progress(kernel: Kernel, stub: StubServer) -> None:
    ran = kernel.run("%lms get tiny")
    assert ran.status == "ok", ran.outputs
    assert "acme/tiny-GGUF@q4_k_m (98.00 MB)" in ran.stream()
    assert ran.text() == "acme/tiny-GGUF@q4_k_m is downloaded: 98 B, checked."
    assert any("░" in shown for shown in ran.history), "there was a bar before"
    assert "`%lms load tiny-q4` loads it." in ran.stream()


def test_a_cell_that_takes_no_input_is_not_asked(kernel: Kernel) -> None:
    ran = kernel.run("%lms rm tiny")
    assert ran.status == "error"
    assert "`--yes` deletes tiny" in str(ran.outputs)


def test_a_table_is_html_in_a_notebook(kernel: Kernel) -> None:
    ran = kernel.run("%lms ls")
    assert '<th style="text-align:left">LLM</th>' in ran.text("text/html")
    assert kernel.run("keys = [m['key'] for m in get_ipython().run_line_magic('lms', 'ls --json')]")
    assert kernel.value("keys") == ["tiny"]
