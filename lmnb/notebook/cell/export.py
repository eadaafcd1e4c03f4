"""A conversation as a file: Markdown, JSON, OpenAI's messages, or a notebook."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat.conversation import Conversation, Exchanged, texts
from lmnb.notebook.display.markdown import fenced

HEADINGS = {"system": "System", "user": "You", "assistant": "Model", "tool": "Tool"}


def write(conversation: Conversation, name: str, *, replace: bool = False) -> Path:
    """Write it in the form that the file's ending names. Raises InvalidRequest, saying why not."""
    path = Path(name).expanduser()
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise InvalidRequest(f"{name}: the ending says the form: {', '.join(FORMS)}.")
    if not conversation.turns:
        raise InvalidRequest("There is no conversation yet: nothing was written.")
    try:
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(form(conversation))
    except FileExistsError:
        raise InvalidRequest(f"{name} exists. `--force` replaces it.") from None
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be written: {error.strerror or error}") from error
    return path


def to_markdown(conversation: Conversation) -> str:
    """For people."""
    parts = list[str]()
    for message, (role, text) in zip(
        conversation.so_far(), texts(conversation.so_far()), strict=True
    ):
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        called = "\n".join(f"`{call['name']}({call['arguments']})`" for call in calls)
        body = fenced(text) if role == "tool" else "\n\n".join(filter(None, (text, called)))
        parts.append(f"## {HEADINGS[role]}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def to_json(conversation: Conversation) -> str:
    """All there is to know, turn by turn."""
    turns = [
        {
            "model": turn.model,
            "messages": list(turn.messages),
            "usage": turn.usage,
            "timings": turn.timings,
        }
        for turn in conversation.turns
    ]
    return _dumped({"system": conversation.system, "turns": turns}, indent=2)


def to_openai(conversation: Conversation) -> str:
    """One line of OpenAI's messages: what chat completions and fine-tuning take."""
    return _dumped({"messages": conversation.so_far()})


def to_notebook(conversation: Conversation) -> str:
    """Cells that can be run again, with the answers below them."""
    load = {**_cell("code", "%load_ext lmnb"), "execution_count": None, "outputs": []}
    first = f" -s {shlex.quote(conversation.system)}" if conversation.system else ""
    cells = [load]
    for number, turn in enumerate(conversation.turns):
        cells.append(_chat_cell(turn, "" if number else first))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(cells):
        cell["id"] = f"lmnb-{number}"
    return _dumped(document, indent=1)


def _chat_cell(turn: Exchanged, options: str) -> dict[str, Any]:
    (_, asked), *_, (_, answer) = texts(turn.messages)
    model = f" -m {shlex.quote(turn.model)}" if turn.model else ""
    data = {"text/plain": answer, "text/markdown": answer}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    cell = _cell("code", f"%%lms --raw{model}{options}\n{asked}")
    return {**cell, "execution_count": None, "outputs": [output]}


def _cell(kind: str, source: str) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def _dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent) + "\n"


FORMS: dict[str, Callable[[Conversation], str]] = {
    ".md": to_markdown,
    ".json": to_json,
    ".jsonl": to_openai,
    ".ipynb": to_notebook,
}
