"""What an answer looks like while it comes and when it is done."""

import io
from typing import Any

from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.display.tables import Table, duration, size
from lmnb.notebook.display.views import NotebookView, TerminalView


class Shown:
    is_used = True

    def __init__(self, view: NotebookView) -> None:
        self.markdown: list[str] = []
        view._slot = self  # type: ignore[assignment]

    def put(self, data: dict[str, str]) -> None:
        self.markdown.append(data["text/markdown"])


def test_the_first_token_shows_at_once_and_the_others_ten_times_a_second() -> None:
    now = 0.0
    view = NotebookView(clock=lambda: now)
    shown = Shown(view)
    view.note("loading")
    text = ""
    for _ in range(100):  # one second of a hundred tokens
        text += "a"
        view.update(Reply(text), "a")
        now += 0.01
    view.finish(Reply(text, model="tiny", finish_reason="stop"))
    assert shown.markdown[0] == "<sub>loading</sub>"
    assert shown.markdown[1].startswith("a\n")
    assert 9 <= len(shown.markdown) - 3 <= 11
    assert shown.markdown[-1] == f"{text}\n\n<sub>tiny</sub>"


def test_reasoning_is_folded_and_cannot_break_out() -> None:
    markdown = Reply("4", reasoning="2+2 </details> <b>").to_markdown()
    assert markdown.startswith("<details><summary>Reasoning</summary>")
    assert markdown.count("</details>") == 1
    assert markdown.index("</details>") < markdown.index("4")


def test_a_reply_is_its_text_and_knows_more() -> None:
    reply = Reply(
        "hi",
        model="tiny",
        finish_reason="length",
        usage={"total_tokens": 1200},
        timings={"predicted_per_second": 41.6, "first_token_ms": 123, "context_length": 4096},
    )
    assert reply == "hi" == f"{reply}"
    assert type(reply.text) is str
    assert reply.facts == (
        "42 tokens/s · first token 0.12 s · context 1,200 / 4,096 · tiny · stopped: max tokens"
    )


def test_a_terminal_gets_each_piece_of_text_once() -> None:
    out = io.StringIO()
    view = TerminalView(out)
    view.update(Reply("", reasoning="hm"), "")
    view.update(Reply("a", reasoning="hm"), "a")
    view.update(Reply("ab", reasoning="hm"), "b")
    view.finish(Reply("ab", reasoning="hm", model="tiny"))
    assert out.getvalue() == "[thinking]\nhm\n[/thinking]\n\nab\n\n[tiny]\n"


def test_a_table_is_html_in_notebooks_and_text_elsewhere() -> None:
    table = Table(("A", "B"), [["1", "<2>"]], "Two")
    bundle: dict[str, Any] = table._repr_mimebundle_()
    assert bundle["text/plain"] == "Two\n\nA  B\n1  <2>"
    assert "&lt;2&gt;" in bundle["text/html"]
    assert Table(("A",), [], "None.").to_text() == "None."


def test_sizes_and_times_are_for_people() -> None:
    assert [size(n) for n in (None, 5, 98_000_000, 2e9)] == ["-", "5 B", "98.00 MB", "2.00 GB"]
    assert [duration(n) for n in (None, 5, 65, 7500)] == ["-", "5s", "1m", "2h 5m"]
