"""What the engine holds a reply to: the form a client asked for, the shape of tool calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from lmnb.chat.grammar import ResponseFormat, grammar
from lmnb.engine.options import Constraint
from lmnb.errors import ContextLengthExceeded, InvalidImage, InvalidRequest
from lmnb.service.calling import call_constraint
from lmnb.service.instances import LoadedModel
from lmnb.service.prompt import Prompt
from lmnb.service.request import GenerationRequest

__all__ = ["constrain", "naming_the_field"]


async def constrain(
    request: GenerationRequest, model: LoadedModel, prompt: Prompt | None = None
) -> Constraint | None:
    """Raises InvalidRequest, naming the field, for a form that cannot be enforced."""
    wanted = request.response_format
    if prompt is not None:
        calls = await call_constraint(model, prompt, request.tools, request.tool_choice, wanted)
        if calls is not None:
            return calls
    return await asyncio.to_thread(_answer, wanted, prompt) if wanted else None


def _answer(wanted: ResponseFormat, prompt: Prompt | None) -> Constraint:
    """A model that may think does so first; then the grammar begins."""
    reasoning = prompt.voice.reasoning if prompt else None
    if prompt is None or reasoning is None or prompt.thought:
        return Constraint(grammar=grammar(wanted))
    return Constraint(
        grammar=grammar(wanted, after_thinking=True),
        triggers=(reasoning.end,),
        final=True,
        opening="" if prompt.inside else reasoning.start,
    )


@contextmanager
def naming_the_field(request: GenerationRequest) -> Iterator[None]:
    """The engine knows prompts, constraints and pictures; the client said them in fields of its own."""
    try:
        yield
    except (ContextLengthExceeded, InvalidImage) as error:
        error.param = request.messages_field if request.messages is not None else "prompt"
        raise
    except InvalidRequest as error:
        if error.param != "constraint":
            raise
        wanted = request.response_format or ResponseFormat("json_schema", param="tools")
        raise wanted.refused(error.message) from None
