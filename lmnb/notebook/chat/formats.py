"""How an answer is shown: `--format`."""

from __future__ import annotations

import json
from html import escape
from typing import Literal, get_args

from lmnb.notebook.display.markdown import close_fence, code_blocks, fenced, harmless

Format = Literal["markdown", "text", "code", "json", "html", "math"]
FORMATS: tuple[Format, ...] = get_args(Format)

INSTRUCTIONS: dict[str, str] = {
    "code": "Answer with code only, in one fenced block.",
    "html": "Answer with HTML only.",
    "math": "Answer with one formula in LaTeX only.",
}
"""What a message ends with, so that the answer is of that kind. JSON is held to by grammar."""


POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)
"""Before a model's page: it may fetch nothing, not even the address of an image."""


def to_markdown(text: str, format: Format) -> str:
    """The answer's text as Markdown that can do no harm."""
    if format == "markdown":
        return close_fence(harmless(text))
    if format == "math":
        return f"$$\n{formula(text)}\n$$"
    if format == "code":
        language, code = code_of(text)
        return fenced(code, language)
    if format == "json":
        return fenced(_indented(text), "json")
    return fenced(text, "html" if format == "html" else "")


def more(text: str, format: Format, facts: str = "") -> dict[str, str]:
    """Representations beyond Markdown and plain text.

    A page that a model wrote stands in a frame of its own: without scripts, away from the notebook
    and its server, and with no way to fetch an address.
    """
    if format == "math":
        return {"text/latex": f"$$\n{formula(text)}\n$$"}
    if format == "html":
        page = escape(POLICY + code_of(text)[1])
        frame = (
            f'<iframe sandbox="" srcdoc="{page}" width="100%" height="400" '
            'style="border:1px solid #8884;background:#fff" title="The answer"></iframe>'
        )
        return {"text/html": f"{frame}<br><sub>{escape(facts, quote=False)}</sub>"}
    return {}


def code_of(text: str) -> tuple[str, str]:
    """The language and the code of an answer: its first code block, or all of it."""
    blocks = code_blocks(text)
    return blocks[0] if blocks else ("", text.strip())


def formula(text: str) -> str:
    """LaTeX without the dollars, brackets or fences that models put around it."""
    bare = code_of(text)[1].strip()
    for opening, closing in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        start = bare.find(opening)
        end = bare.rfind(closing)
        if 0 <= start < end:
            return bare[start + len(opening) : end].strip()
    return bare


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:  # not complete
        return text
