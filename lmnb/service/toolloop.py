"""A conversation with tools that the server runs itself: ask, call, tell, ask again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from lmnb.chat.message import Message, ToolCall
from lmnb.chat.tools import ToolChoice
from lmnb.service.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from lmnb.service.generation import Generation, Generations
from lmnb.service.mcp.toolbox import Toolbox
from lmnb.service.request import GenerationRequest

__all__ = ["CallDone", "CallRefused", "LoopEvent", "Started", "converse"]

MOST_ROUNDS = 16
"""After so many answers with calls, the model has to answer without."""


@dataclass(frozen=True, slots=True)
class Started:
    """The next answer begins."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class CallDone:
    """`output` is the tool's result as it came; `text`, what the model is told."""

    call: ToolCall
    arguments: dict[str, Any]
    output: str
    text: str


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Not run. The model is told the reason."""

    call: ToolCall
    kind: Literal["invalid_name", "invalid_arguments"]
    text: str


LoopEvent = GenerationEvent | Started | CallDone | CallRefused


async def converse(
    generations: Generations, request: GenerationRequest, toolbox: Toolbox
) -> AsyncGenerator[LoopEvent, None]:
    """Answers until one calls nothing, or `max_tokens` are written. Raises what `Generations.start`
    and a toolbox raise. Leave it with `aclosing`: that ends what runs."""
    messages = list(request.messages or ())
    limit = request.max_tokens
    for left in reversed(range(MOST_ROUNDS)):
        choice = request.tool_choice if left else ToolChoice("none")
        generation = await generations.start(
            replace(
                request,
                messages=tuple(messages),
                tools=toolbox.tools,
                tool_choice=choice,
                max_tokens=limit,
            )
        )
        answer = _Answer()
        yield Started(generation)
        try:
            async for event in generation:
                answer.take(event)
                yield event
        finally:
            generation.cancel()
        messages.append(answer.message())
        for call in answer.calls:
            outcome = await _run(toolbox, call)
            messages.append(Message("tool", outcome.text, name=call.name, tool_call_id=call.id))
            yield outcome
        if limit is not None:
            limit -= answer.tokens
        if not answer.wants_results or limit == 0:
            return


async def _run(toolbox: Toolbox, call: ToolCall) -> CallDone | CallRefused:
    if call.name not in toolbox.offers:
        return CallRefused(call, "invalid_name", f"Cannot find tool with name {call.name}.")
    try:
        arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        reason = f"The arguments of {call.name} are no JSON object: {error}."
        return CallRefused(call, "invalid_arguments", reason)
    result = await toolbox.call(call.name, arguments)
    return CallDone(call, arguments, result.output, result.text)


@dataclass(slots=True)
class _Answer:
    """One answer, as it will stand in the conversation."""

    calls: list[ToolCall] = field(default_factory=list)
    wants_results: bool = False
    tokens: int = 0
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)

    def take(self, event: GenerationEvent) -> None:
        match event:
            case TextDelta(text):
                self._text.append(text)
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case ToolCallDelta(index, arguments, id, name):
                if index == len(self.calls):
                    self.calls.append(ToolCall(id or "", name or "", ""))
                call = self.calls[index]
                self.calls[index] = replace(call, arguments=call.arguments + arguments)
            case Finished(reason, usage):
                self.wants_results = reason == "tool_calls"
                self.tokens = usage.completion_tokens

    def message(self) -> Message:
        return Message(
            "assistant",
            "".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(self.calls),
        )
