"""`%%lms`: which model answers, one after another or side by side, and how much room there is."""

import pytest

from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer, model


def test_a_model_of_the_hub_is_fetched_after_a_question(kernel: Kernel, stub: StubServer) -> None:
    stub.missing = {"tiny-coder"}
    ran = kernel.run("%%lms -m tiny-coder\nhi", answers=["y"])
    assert ran.status == "ok"
    assert ran.questions == [
        "tiny-coder is not on this machine. Download acme/tiny-GGUF Q4_K_M (98.00 MB)? [y/N] "
    ]
    downloads = [body for body in stub.bodies if "quantization" in body]
    assert downloads == [{"model": "acme/tiny-GGUF", "quantization": "Q4_K_M"}]
    assert stub.chats[-1]["model"] == "tiny-q4"


def test_a_model_of_the_hub_that_is_not_wanted_is_not_fetched(
    kernel: Kernel, stub: StubServer
) -> None:
    stub.missing = {"tiny-coder"}
    ran = kernel.run("%%lms -m tiny-coder\nhi", answers=["n"])
    assert "It was not downloaded" in ran.stream("stderr")
    ran = kernel.run("%%lms -m tiny-coder\nhi")  # nobody is there: as in nbconvert
    assert ran.status == "error"
    assert "`%lms get tiny-coder` downloads acme/tiny-GGUF Q4_K_M (98.00 MB)." in ran.stream(
        "stderr"
    )
    assert not stub.chats


def test_yes_is_an_answer_where_nobody_is_there(kernel: Kernel, stub: StubServer) -> None:
    stub.missing = {"tiny-coder"}
    assert kernel.run("%%lms -m tiny-coder --yes\nhi").status == "ok"


def test_models_answer_side_by_side(kernel: Kernel, stub: StubServer) -> None:
    stub.models = [model("a", "a"), model("b", "b")]
    stub.answer = ["One | two.\n", "<b>"]
    ran = kernel.run("%%lms --compare a,b --out both\nhi")
    assert ran.status == "ok"
    assert len(ran.outputs) == 1
    html = ran.text("text/html")
    assert html.count("<section") == 2 and html.count("<p>One | two.\n&lt;b&gt;</p>") == 2
    head, _, texts, facts = ran.text("text/markdown").splitlines()
    assert (head, texts.count("One \\| two.<br>&lt;b&gt;")) == ("| a | b |", 2)
    assert facts.count("50 tokens/s") == 2
    assert ran.text().startswith("== a ==\nOne | two.\n<b>\n[50 tokens/s")
    assert kernel.value("{name: str(reply) for name, reply in both.items()}") == {
        "a": "One | two.\n<b>",
        "b": "One | two.\n<b>",
    }
    kernel.run("text = 'some words'")
    ran = kernel.run("%%lms --compare a,b --attach text\nhi")
    assert ran.text().startswith("[sent text: text, 10 characters]\n== a ==")  # each has its tokens
    kernel.run("%%lms -m a\nnext")
    assert len(stub.chats[-1]["messages"]) == 1  # a comparison is no part of the conversation


def test_a_comparison_of_which_one_fails_says_so_in_its_column(
    kernel: Kernel, stub: StubServer
) -> None:
    stub.answers = [[{"status": 404, "code": "model_not_found", "message": "No such model."}]]
    ran = kernel.run("%%lms --compare a,b\nhi")
    assert ran.status == "ok"
    assert "failed · No such model." in ran.text()
    assert "Hello there." in ran.text()
    stub.answer = [{"status": 404, "code": "model_not_found", "message": "No such model."}]
    assert kernel.run("%%lms --compare a,b\nhi").status == "error"


def test_pictures_in_an_answer_are_links_in_every_form(kernel: Kernel, stub: StubServer) -> None:
    """Whoever shows Markdown would fetch them, and so tell their server what the model knows."""
    stub.answer = ["```\n![a](http://evil.example/)\n<img src=x>"]
    ran = kernel.run("%%lms --compare a,b\nhi")
    assert "![" not in ran.text("text/markdown") and "<img" not in ran.text("text/markdown")
    assert "<img" not in ran.text("text/html")


def test_columns_show_markdown_and_what_else_was_asked_for(
    kernel: Kernel, stub: StubServer
) -> None:
    stub.answer = ["Use `x`:\n\n```python\nx = 1\n```"]
    html = kernel.run("%%lms --compare a,b\nhi").text("text/html")
    assert html.count("<code>x</code>") == html.count("<pre><code>x = 1</code></pre>") == 2
    html = kernel.run("%%lms --compare a,b --format text\nhi").text("text/html")
    assert html.count("Use `x`") == 2


def test_an_interrupted_comparison_stops_both(kernel: Kernel, stub: StubServer) -> None:
    stub.answer = ["Once upon", 60]
    ran = kernel.run("%%lms --compare a,b\nTell.", interrupt_at="Once upon")
    assert ran.status == "error"
    assert stub.client_left.wait(30)
    assert ran.text().count("interrupted") == 2


def test_a_conversation_that_does_not_fit_is_not_sent(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("words = 'word ' * 5000")
    ran = kernel.run("%%lms\n{words}")
    assert ran.status == "error"
    said = ran.stream("stderr")
    assert "has 5,000 tokens; tiny has room for 4,096. Nothing was sent." in said
    assert "%lms reset" in said and "%lms load NAME -c N" in said
    assert not stub.chats


def test_a_nearly_full_context_is_said_before_it_is_full(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("words = 'word ' * 3500")
    ran = kernel.run("%%lms\n{words}")
    note = "the context is 85% full, 596 tokens are left: `%lms reset` starts a new conversation"
    assert any(note in each for each in ran.history)
    assert note in ran.text()
    kernel.run("%lms reset")
    ran = kernel.run("%%lms --max-tokens 4000\n" + "word " * 200)
    assert "only 3,896 tokens are left for an answer of up to 4,000" in ran.text()
    kernel.run("%lms reset")
    assert "left" not in kernel.run("%%lms\nhi").text()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%lms --sch", ["--schema"]),
        ("%%lms --schema Pe", ["Person"]),
        ("%%lms --tools wea", ["weather"]),
        ("%%lms --tools weather,clo", ["weather,clock"]),
        ("%%lms --attach fra", ["frame"]),
        ("%%lms --compare tiny,ti", ["tiny,tiny"]),
        ("%%lms --format ma", ["markdown", "math"]),
        ("%lms exp", ["export"]),
        ("%lms fix --app", ["--apply"]),
    ],
)
def test_tab_knows_the_notebooks_own_names(kernel: Kernel, line: str, offered: list[str]) -> None:
    kernel.run(
        "class Person: pass\ndef weather(): pass\ndef clock(): pass\nframe = 1\n"
        "personal = 1\nweathers = 2"
    )
    assert kernel.complete(line) == offered


def test_a_question_mark_shows_examples(kernel: Kernel) -> None:
    for asked in ("%lms?", "%%lms?"):
        assert "%%lms --schema Invoice --out invoice" in kernel.inspect(asked)
