"""What a model writes becomes HTML that does nothing but show it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from lmnb.notebook.display.rendering import DrawCode, pause, plain_code, to_html
from lmnb.notebook.widgets.code import draw_code


class Tags(HTMLParser):
    """The tags that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs


def test_code_is_highlighted_and_can_be_copied() -> None:
    html = to_html("```python\ndef f(): return '<b>'\n```", draw_code)
    assert '<span class="k">def</span>' in html
    assert "&lt;b&gt;" in html
    assert 'aria-label="Copy this code"' in html


def test_elsewhere_code_is_code_without_a_button_that_nothing_makes_work() -> None:
    html = to_html("```python\ndef f(): return '<b>'\n```")
    assert html == "<pre><code>def f(): return &#x27;&lt;b&gt;&#x27;</code></pre>"


def test_code_that_is_still_being_written_is_code() -> None:
    assert "<pre><code>" in to_html("Look:\n```\nx = 1")


@pytest.mark.parametrize("draw", [plain_code, draw_code])
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![seen](https://example.com/?q=secret)",
        '```"><img/src=x>\ncode\n```',
        '[a](https://example.com/"onclick=alert(1))',
        "<https://example.com/><svg/onload=alert(1)>",
    ],
)
def test_nothing_is_run_or_fetched(text: str, draw: DrawCode) -> None:
    tags = Tags(to_html(text, draw))
    assert not tags.names & {"script", "img", "svg", "iframe"}
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert not [value for name, value in tags.attributes if "javascript" in (value or "")]


def test_tables_and_lists_show() -> None:
    html = to_html("|a|b|\n|-|-|\n|1|2|\n\n- x\n- y")
    assert html.count("<td>") == 2
    assert html.count("<li>") == 2


def test_a_long_answer_is_drawn_less_often() -> None:
    """Each picture has all of it: ten a second of a whole book would stop page and kernel."""
    assert 0.1 <= pause(4) < 0.11
    assert pause(500_000) == pytest.approx(5.1)
