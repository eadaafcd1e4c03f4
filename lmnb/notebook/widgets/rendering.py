"""A model's Markdown as HTML for a widget. What the model writes is text: no tag of its own becomes
one, and nothing is fetched from where it points."""

from __future__ import annotations

from functools import cache, lru_cache
from html import escape
from typing import Any

from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.display.markdown import close_fence

INTERVAL = 0.1
CHARACTERS_PER_SECOND = 100_000
"""Each picture of a growing answer has all of it: of long ones there are fewer."""
CODE = (
    '<div class="lmnb-code"><div class="lmnb-code-bar"><span>{name}</span>{copy}</div>{body}</div>'
)
COPY = '<button type="button" class="lmnb-copy" aria-label="Copy this code">Copy</button>'


def to_html(markdown: str) -> str:
    """`markdown`, finished or not, as HTML with highlighted code."""
    return str(_renderer()(close_fence(markdown)))


def pause(reply: Reply) -> float:
    """Seconds until a growing answer is drawn again."""
    return INTERVAL + (len(reply.text) + len(reply.reasoning)) / CHARACTERS_PER_SECOND


@cache
def _renderer() -> Any:
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
            body = highlight(code.rstrip("\n"), name)
            return CODE.format(name=escape(name) or "code", copy=COPY, body=body)

    plugins = ["table", "strikethrough", "task_lists", "url"]
    return mistune.create_markdown(renderer=Renderer(escape=True), plugins=plugins)


@lru_cache(maxsize=256)  # while an answer grows, its finished blocks come again and again
def highlight(code: str, language: str) -> str:
    """A `<pre>` with pygments' classes; plain where it does not know the language."""
    from pygments import highlight as paint
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language) if language else TextLexer()
    except ClassNotFound:
        lexer = TextLexer()
    painted: str = paint(code, lexer, HtmlFormatter(nowrap=True))
    return f"<pre><code>{painted}</code></pre>"
