"""What travels with a message: values and files as text, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat import documents
from lmnb.notebook.chat.images import Image
from lmnb.notebook.chat.values import ROWS, TableFormat, write
from lmnb.notebook.display.markdown import fenced
from lmnb.notebook.display.tables import size
from lmnb.notebook.interpolation import evaluate


@dataclass(frozen=True)
class Attachment:
    """A text with the name it goes by."""

    name: str
    text: str
    facts: str

    @property
    def block(self) -> str:
        """As the model gets it, set off from the message."""
        return f'<attachment name="{escape(self.name)}">\n{self.text}\n</attachment>'

    @classmethod
    def of_value(
        cls,
        expression: str,
        names: Mapping[str, Any],
        *,
        rows: int = ROWS,
        table: TableFormat = "markdown",
    ) -> Attachment:
        """A variable of the notebook, or something reached from one: `frame.head()`."""
        written = write(evaluate(expression, names), rows=rows, table=table)
        return cls(expression, written.text, written.facts)

    @classmethod
    def of_file(cls, name: str) -> Attachment:
        written = documents.read(name)
        return cls(name, written.text, written.facts)


def image_of(word: str, names: Mapping[str, Any]) -> Image:
    """`--image`: a variable of the notebook where there is one of that name, else a file or address."""
    root = word.partition(".")[0].partition("[")[0]
    if root in names:
        try:
            return Image.of(evaluate(word, names), word)
        except InvalidRequest:
            if word.isidentifier():
                raise
    return Image.of(word)


def message(
    prompt: str, attachments: Sequence[Attachment], images: Sequence[Image]
) -> dict[str, Any]:
    """The user's message: what is attached first, then what is asked about it."""
    text = "\n\n".join([*(each.block for each in attachments), prompt])
    if not images:
        return {"role": "user", "content": text}
    parts = [*(image.part for image in images), {"type": "text", "text": text}]
    return {"role": "user", "content": parts}


def summary(
    attachments: Sequence[Attachment], tokens: Sequence[int | None], images: Sequence[Image]
) -> tuple[str, str]:
    """What was sent, as plain text and as Markdown: each text folded under its facts."""
    plain, markdown = list[str](), list[str]()
    for each, count in zip(attachments, tokens, strict=True):
        counted = "" if count is None else f", {count:,} tokens"
        line = f"sent {each.name}: {each.facts}{counted}"
        plain.append(f"[{line}]")
        head = f"<details><summary><sub>{escape(line, quote=False)}</sub></summary>"
        markdown.append(f"{head}\n\n{fenced(each.text)}\n\n</details>")
    for image in images:
        line = f"sent {image.name}: {image.media_type}, {size(len(image.data))}"
        plain.append(f"[{line}]")
        markdown.append(f"<sub>{escape(line, quote=False)}</sub>")
    return "\n".join(plain), "\n\n".join(markdown)
