"""The forms in which a conversation is offered to a template, until one is accepted.

Templates differ in what they take: some raise on a system message, on two turns of one role in a
row, or on arguments that are text (or are not). The conversation is first offered as it is; only a
template that raises sees another form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from lmnb.chat.message import Message

__all__ = ["shapes", "system_first"]

Messages = tuple[Message, ...]

_BETWEEN = "\n\n"


def shapes(messages: Sequence[Message]) -> Iterator[Messages]:
    """The conversation as it is, then every different form of it, from mild to strong."""
    tried: list[Messages] = []
    for steps in _WAYS:
        shape = tuple(messages)
        for step in steps:
            shape = step(shape)
        if shape not in tried:
            tried.append(shape)
            yield shape


def system_first(messages: Messages) -> Messages:
    """All system messages as one, in front."""
    system = _joined(message.content for message in messages if message.role == "system")
    rest = tuple(message for message in messages if message.role != "system")
    return (Message("system", system), *rest) if len(rest) < len(messages) else messages


def system_in_user(messages: Messages) -> Messages:
    """The system messages at the start of the first user turn, for models without a system role."""
    merged = system_first(messages)
    if not merged or merged[0].role != "system":
        return messages
    system, rest = merged[0], list(merged[1:])
    for index, message in enumerate(rest):
        if message.role == "user":
            content = _joined((system.content, message.content))
            rest[index] = replace(message, content=content)
            return tuple(rest)
    return (Message("user", system.content), *rest)


def alternating(messages: Messages) -> Messages:
    """Neighbours of one role as one turn; the results of tools stay apart."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            last = merged[-1]
            merged[-1] = replace(
                last,
                content=_joined((last.content, message.content)),
                reasoning=_joined((last.reasoning, message.reasoning)),
                tool_calls=last.tool_calls + message.tool_calls,
            )
        else:
            merged.append(message)
    return tuple(merged)


def with_results(messages: Messages) -> Messages:
    """What a user says right after results stands in the last of them: Mistral's templates want an
    answer first."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == "tool" and message.role == "user":
            last = merged[-1]
            content = _joined((last.content, message.content))
            merged[-1] = replace(last, content=content, images=last.images + message.images)
        else:
            merged.append(message)
    return tuple(merged)


def one_call_each(messages: Messages) -> Messages:
    """Calls of one turn as turns of their own, each with its results."""
    split: list[Message] = []
    rest = list(messages)
    while rest:
        message = rest.pop(0)
        if len(message.tool_calls) < 2:
            split.append(message)
            continue
        count = next((n for n, one in enumerate(rest) if one.role != "tool"), len(rest))
        results, rest = rest[:count], rest[count:]
        for number, call in enumerate(message.tool_calls):
            turn = message if not number else Message("assistant", "")
            own = [one for one in results if one.tool_call_id == call.id]
            split += [replace(turn, tool_calls=(call,)), *own]
        known = {call.id for call in message.tool_calls}
        split += [one for one in results if one.tool_call_id not in known]
    return tuple(split)


def without_reasoning(messages: Messages) -> Messages:
    """gpt-oss takes no turn with reasoning, content and tool calls together."""
    return tuple(
        replace(message, reasoning="") if message.content and message.tool_calls else message
        for message in messages
    )


def _joined(texts: Iterator[str] | Sequence[str]) -> str:
    return _BETWEEN.join(text for text in texts if text)


_WAYS: tuple[tuple[Callable[[Messages], Messages], ...], ...] = (
    (),
    (without_reasoning,),
    (system_first,),
    (alternating,),
    (system_first, alternating),
    (system_in_user,),
    (system_in_user, alternating),
    (one_call_each,),
    (system_in_user, alternating, with_results),
    (system_in_user, alternating, with_results, one_call_each),
)
