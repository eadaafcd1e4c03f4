"""How long a prompt is, without computing anything of it."""

from __future__ import annotations

from lmnb.engine import Engine
from lmnb.engine.options import EngineRequest
from lmnb.engine.partition import joined

__all__ = ["prompt_tokens"]


async def prompt_tokens(engine: Engine, request: EngineRequest) -> list[int]:
    """The token ids that the engine makes of it: text gets one BOS if the model wants it."""
    if request.prompt_tokens:
        return list(request.prompt_tokens)
    text, plain = joined(request.prompt)
    ids = await engine.tokenize(text, add_special=False, parse_special=True, plain=plain)
    if engine.facts.add_bos and engine.facts.bos:
        bos = await engine.tokenize(engine.facts.bos, add_special=False, parse_special=True)
        if ids[: len(bos)] != bos:
            return bos + ids
    return ids
