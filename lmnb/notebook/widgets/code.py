"""A model's code in the chat: coloured, and with a button that copies it."""

from __future__ import annotations

from functools import lru_cache
from html import escape

FRAME = (
    '<div class="lmnb-code"><div class="lmnb-code-bar"><span>{name}</span>{copy}</div>{body}</div>'
)
COPY = '<button type="button" class="lmnb-copy" aria-label="Copy this code">Copy</button>'


def draw_code(code: str, language: str) -> str:
    """`chat.js` makes the button work, `chat.css` the colours."""
    body = _highlight(code, language)
    return FRAME.format(name=escape(language) or "code", copy=COPY, body=body)


@lru_cache(maxsize=256)  # while an answer grows, its finished blocks come again and again
def _highlight(code: str, language: str) -> str:
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
