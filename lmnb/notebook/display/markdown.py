"""A model's Markdown, made fit to stand in a notebook and in what is exported from it.

JupyterLab cleans the HTML in Markdown; an exported page does not, and images are fetched by both:
a model that read something hostile could send what it knows to the address of an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_FENCE = re.compile(r"^ {0,3}(?:(`{3,})([^`]*)|(~{3,})(.*))$")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_RISKY = re.compile(
    r"!(?=\[)"  # an image: becomes a link
    r"|<(?=[/!?]|[a-z][\w-]*(?:[\s/>]|$))"  # a tag, a comment, ... (not `a<b`)
    # ... but for those that only format
    r"(?!/?(?:b|br|code|em|hr|i|kbd|li|mark|ol|p|pre|s|strong|sub|sup|u|ul) ?/?>)",
    re.IGNORECASE,
)


def harmless(text: str) -> str:
    """`text` with tags and images as text and links. Code stays as it is."""
    return "\n".join(line if in_code else _defuse(line) for line, in_code, _ in _lines(text))


def close_fence(text: str) -> str:
    """`text` with its last code block closed, so that what follows is not part of it."""
    fence = ""
    for _, _, fence in _lines(text):  # noqa: B007 - the last one counts
        pass
    return f"{text}\n{fence}" if fence else text


def fenced(text: str, language: str = "") -> str:
    """`text` as a code block, with a fence that does not occur in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def table(head: Sequence[str], body: Iterable[Sequence[Any]]) -> str:
    """A pipe table. Pipes and line ends inside cells are made harmless."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Each fenced block of `text`: the language it claims, and its code. An open one counts."""
    blocks, language, code = list[tuple[str, str]](), "", list[str]()
    was_open = ""
    for line, in_code, fence in _lines(text):
        if fence and not was_open:
            words = line.strip().lstrip("`~").split()
            language, code = (words[0] if words else ""), []
        elif in_code and fence:
            code.append(line)
        if was_open and not fence:
            blocks.append((language, "\n".join(code)))
        was_open = fence
    return [*blocks, (language, "\n".join(code))] if was_open else blocks


def _lines(text: str) -> Iterator[tuple[str, bool, str]]:
    """Each line, whether it belongs to a code block, and the fence that is open after it."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        mark, rest = (match[1] or match[3], match[2] or match[4] or "") if match else ("", "")
        was_open = fence
        if not fence:
            fence = mark
        elif mark.startswith(fence) and not rest.strip():
            fence = ""
        yield line, bool(was_open or fence), fence


def _defuse(line: str) -> str:
    parts, at = list[str](), 0
    for span in _CODE_SPAN.finditer(line):
        parts += [_RISKY.sub(_as_text, line[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*parts, _RISKY.sub(_as_text, line[at:])])


def _as_text(match: re.Match[str]) -> str:
    return "&lt;" if match[0] == "<" else "\\!"
