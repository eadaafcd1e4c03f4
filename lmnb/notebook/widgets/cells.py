"""A conversation as notebook cells, which go on from where it stood."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from lmnb.notebook.widgets.tree import Turn


def to_cells(turns: Sequence[Turn], system: str = "") -> list[dict[str, Any]]:
    """A `%%lms` cell for each question, in nbformat's form, with the answer as its output."""
    cells: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "user":
            cells.append(_code(_source(turn, system if not cells else "")))
        elif cells and turn.reply:
            if not cells[-1]["outputs"] and turn.reply.model:
                line, _, body = cells[-1]["source"].partition("\n")
                cells[-1]["source"] = f"{line} -m {shlex.quote(turn.reply.model)}\n{body}"
            data = turn.reply.to_bundle()
            cells[-1]["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    return cells


def _source(turn: Turn, system: str) -> str:
    """Braces in what was typed are no expressions: the cell takes it as it is."""
    raw = " --raw" if "{" in turn.text else ""
    said = f" --system {shlex.quote(system)}" if system and "\n" not in system else ""
    return f"%%lms{raw}{said}\n{turn.text}"


def _code(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": uuid4().hex[:8],
        "metadata": {},
        "outputs": [],
        "source": source,
    }
