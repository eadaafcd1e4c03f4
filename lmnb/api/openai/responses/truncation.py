"""`truncation: auto`: what does not fit loses its oldest turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmnb.api.openai.responses.messages import to_messages
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import ContextLengthExceeded
from lmnb.service.generation import Generation, Generations
from lmnb.service.loads import ProgressCallback

__all__ = ["start", "without_oldest_turn"]

Item = dict[str, Any]


async def start(
    generations: Generations,
    request: ResponseRequest,
    items: Sequence[Item],
    progress: ProgressCallback | None = None,
) -> Generation:
    """Raises ContextLengthExceeded when nothing may be, or is left to be, dropped."""
    instructions = request.instruction_items()
    while True:
        messages = to_messages([*instructions, *items])
        try:
            return await generations.start(request.generation(messages), progress=progress)
        except ContextLengthExceeded:
            shorter = without_oldest_turn(items)
            if request.truncation != "auto" or shorter is None:
                raise
            items = shorter


def without_oldest_turn(items: Sequence[Item]) -> list[Item] | None:
    """A turn begins with what the user says. What the system says stays; so does the last turn."""
    turns = [n for n, item in enumerate(items) if item.get("role") == "user"]
    if len(turns) < 2:
        return None
    kept = [item for item in items[: turns[1]] if item.get("role") in ("system", "developer")]
    return [*kept, *items[turns[1] :]]
