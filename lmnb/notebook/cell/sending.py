"""What a `%%lms` cell sends, made of its line, its text and the notebook's variables."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat import attachments
from lmnb.notebook.chat.attachments import Attachment
from lmnb.notebook.chat.exchange import Message
from lmnb.notebook.chat.formats import INSTRUCTIONS
from lmnb.notebook.chat.images import Image
from lmnb.notebook.chat.schema import Schema
from lmnb.notebook.chat.tools import Toolbox
from lmnb.notebook.chat.values import TableFormat
from lmnb.notebook.interpolation import evaluate, interpolate
from lmnb.notebook.person import Consent, Someone


@dataclass(frozen=True)
class Sent:
    """The message, what goes along with it, and what the answer shall be."""

    message: Message
    texts: Sequence[Attachment]
    images: Sequence[Image]
    schema: Schema | None
    tools: Toolbox
    tool_choice: Any

    @classmethod
    def of(
        cls, arguments: Namespace, cell: str, variables: Mapping[str, Any], person: Someone
    ) -> Sent:
        """Raises InvalidRequest for what is wrong with the cell: nothing has been sent by then."""
        _check(arguments)
        prompt = (cell if arguments.raw else interpolate(cell, variables)).strip()
        if not prompt:
            raise InvalidRequest("The cell holds no message.")
        if hint := INSTRUCTIONS.get(arguments.format):
            prompt = f"{prompt}\n\n{hint}"
        texts = _texts(arguments, variables)
        images = [attachments.image_of(each, variables) for each in arguments.image]
        return cls(
            attachments.message(prompt, texts, images),
            texts,
            images,
            _schema(arguments.schema, variables) if arguments.schema else None,
            _toolbox(arguments, variables, person),
            _tool_choice(arguments.tool_choice),
        )


def split_names(text: str | None) -> list[str]:
    """`a,b`: the names of `--compare` and `--tools`."""
    return [name for part in (text or "").split(",") if (name := part.strip())]


def _check(arguments: Namespace) -> None:
    if arguments.out and not arguments.out.isidentifier():
        raise InvalidRequest(f"--out takes the name of a variable, not {arguments.out!r}.")
    if arguments.tool_choice and not arguments.tools:
        raise InvalidRequest("--tool-choice says which of the --tools to call; there are none.")
    if arguments.compare:
        if arguments.model or arguments.tools:
            other = "--model" if arguments.model else "--tools"
            raise InvalidRequest(f"--compare names the models and goes without {other}.")
        if len(split_names(arguments.compare)) < 2:
            raise InvalidRequest("--compare takes two models or more, with commas between them.")


def _texts(arguments: Namespace, variables: Mapping[str, Any]) -> list[Attachment]:
    table: TableFormat = "csv" if arguments.csv else "markdown"
    values = [
        Attachment.of_value(each, variables, rows=arguments.rows, table=table)
        for each in arguments.attach
    ]
    return values + [Attachment.of_file(name) for name in arguments.file]


def _toolbox(arguments: Namespace, variables: Mapping[str, Any], person: Someone) -> Toolbox:
    functions = [evaluate(name, variables) for name in split_names(arguments.tools)]
    if functions and not arguments.yes and not person.is_there:
        raise InvalidRequest(
            "Nobody can be asked here whether the tools may run. `--yes` allows their calls."
        )
    return Toolbox(functions, Consent(always=arguments.yes))


def _schema(text: str, variables: Mapping[str, Any]) -> Schema:
    return Schema.of(text if text.lstrip().startswith("{") else evaluate(text, variables))


def _tool_choice(text: str | None) -> Any:
    if text is None or text in ("auto", "required", "none"):
        return text or "auto"
    return {"type": "function", "function": {"name": text}}
