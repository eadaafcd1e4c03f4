"""`truncation: auto`: what does not fit loses its oldest turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmnb.api.openai.responses.messages import to_messages
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import ContextLengthExceeded
from lmnb.service.generation import Generation
from lmnb.service.generations import Generations
from lmnb.service.loads import ProgressCallback
from lmnb.service.request import GenerationRequest

__all__ = ["start"]

Item = dict[str, Any]


async def start(
    generations: Generations,
    request: ResponseRequest,
    items: Sequence[Item],
    progress: ProgressCallback | None = None,
) -> Generation:
    """Raises ContextLengthExceeded when nothing may be, or is left to be, dropped."""

    def generation(dropped: int) -> GenerationRequest:
        kept = _without_oldest(items, dropped)
        return request.generation(to_messages([*request.instruction_items(), *kept]))

    async def fits(dropped: int) -> bool:
        count, context = await generations.count_tokens(generation(dropped))
        return count < context

    try:
        return await generations.start(generation(0), progress=progress)
    except ContextLengthExceeded:
        if request.truncation != "auto":
            raise
    fewest, most = 1, max(1, len(_turns(items)) - 1)
    while fewest < most:
        middle = (fewest + most) // 2
        if await fits(middle):
            most = middle
        else:
            fewest = middle + 1
    return await generations.start(generation(most), progress=progress)


def _without_oldest(items: Sequence[Item], dropped: int) -> list[Item]:
    """A turn begins with what the user says. What the system says stays; so does the last turn."""
    turns = _turns(items)
    if not dropped or len(turns) < 2:
        return list(items)
    first = turns[min(dropped, len(turns) - 1)]
    kept = [item for item in items[:first] if item.get("role") in ("system", "developer")]
    return [*kept, *items[first:]]


def _turns(items: Sequence[Item]) -> list[int]:
    """Where they begin."""
    return [number for number, item in enumerate(items) if item.get("role") == "user"]
