"""A conversation with tools that the server runs itself: ask, call, tell, ask again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from lmnb.chat.message import Message, ToolCall
from lmnb.chat.tools import ToolChoice
from lmnb.service.events import Finished, GenerationEvent, ReasoningDelta, TextDelta, ToolCallDelta
from lmnb.service.generation import Generation
from lmnb.service.generations import Generations
from lmnb.service.mcp.toolbox import Toolbox
from lmnb.service.request import GenerationRequest

__all__ = ["CallDone", "CallRefused", "LoopEvent", "Started", "converse", "run_call"]

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
    failed: bool = False


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Not run. The model is told the reason."""

    call: ToolCall
    kind: Literal["invalid_name", "invalid_arguments", "too_many"]
    text: str


LoopEvent = GenerationEvent | Started | CallDone | CallRefused


async def converse(
    generations: Generations,
    request: GenerationRequest,
    toolbox: Toolbox,
    most_calls: int | None = None,
) -> AsyncGenerator[LoopEvent, None]:
    """Answers until one calls nothing, or what is the caller's to run (the request's own tools) or
    to approve, or `max_tokens` are written. Raises what `Generations.start` and a toolbox raise. Leave
    it with `aclosing`: that ends what runs."""
    messages = list(request.messages or ())
    limit, choice, calls_left = request.max_tokens, request.tool_choice, most_calls
    for left in reversed(range(MOST_ROUNDS)):
        if not left or calls_left == 0:
            choice = ToolChoice("none")
        generation = await generations.start(
            replace(
                request,
                messages=tuple(messages),
                tools=(*request.tools, *toolbox.tools),
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
        others = {tool.name for tool in request.tools}
        others |= {name for name, offer in toolbox.offers.items() if offer.needs_approval}
        waits = False
        for call in answer.calls:
            if call.name in others:
                waits = True
                continue
            outcome = await run_call(toolbox, call) if calls_left != 0 else _one_too_many(call)
            if calls_left:
                calls_left -= 1
            messages.append(Message("tool", outcome.text, name=call.name, tool_call_id=call.id))
            yield outcome
        if limit is not None:
            limit -= answer.tokens
        if waits or not answer.wants_results or limit == 0:
            return
        if choice.mode == "required":
            choice = replace(choice, mode="auto")


async def run_call(toolbox: Toolbox, call: ToolCall) -> CallDone | CallRefused:
    """Raises McpConnectionFailed when the tool's server is gone."""
    if call.name not in toolbox.offers:
        return CallRefused(call, "invalid_name", f"Cannot find tool with name {call.name}.")
    try:
        arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        reason = f"The arguments of {call.name} are no JSON object: {error}."
        return CallRefused(call, "invalid_arguments", reason)
    result = await toolbox.call(call.name, arguments)
    return CallDone(call, arguments, result.output, result.text, result.failed)


def _one_too_many(call: ToolCall) -> CallRefused:
    return CallRefused(call, "too_many", f"{call.name} was not called: no more calls are allowed.")


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
