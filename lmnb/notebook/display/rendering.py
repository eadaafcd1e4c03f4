"""A model's Markdown as HTML. What the model writes is text: no tag of its own becomes one, and nothing
is fetched from where it points."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

from lmnb.notebook.display.markdown import close_fence

INTERVAL = 0.1
CHARACTERS_PER_SECOND = 100_000
"""Each picture of a growing answer has all of it: of long ones there are fewer."""
DrawCode = Callable[[str, str], str]
"""Code and the language it claims, as HTML."""


def plain_code(code: str, _language: str) -> str:
    """As any front end shows it."""
    return f"<pre><code>{escape(code)}</code></pre>"


def to_html(markdown: str, draw_code: DrawCode = plain_code) -> str:
    """`markdown`, finished or not, as HTML."""
    return str(_renderer(draw_code)(close_fence(markdown)))


def pause(characters: int) -> float:
    """Seconds until an answer of so many is drawn again."""
    return INTERVAL + characters / CHARACTERS_PER_SECOND


@cache
def _renderer(draw_code: DrawCode) -> Any:
    import mistune

    class Renderer(mistune.HTMLRenderer):
        """Links open beside the notebook; pictures stay links."""

        def link(self, text: str, url: str, title: str | None = None) -> str:
            address = escape(self.safe_url(url))
            return f'<a href="{address}" target="_blank" rel="noopener noreferrer">{text}</a>'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return self.link(escape(text) or escape(url), url)

        def block_code(self, code: str, info: str | None = None) -> str:
            name = (info or "").split()[0] if (info or "").strip() else ""
            return draw_code(code.rstrip("\n"), name)

    plugins = ["table", "strikethrough", "task_lists", "url"]
    return mistune.create_markdown(renderer=Renderer(escape=True), plugins=plugins)
