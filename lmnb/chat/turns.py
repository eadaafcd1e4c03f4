"""A conversation as chat templates know it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmnb.chat.controls import CUT
from lmnb.chat.habits import Habits
from lmnb.chat.message import Message

__all__ = ["Turns", "copied"]

Text = Callable[[str], str]


class Turns:
    """Made as a template with these habits wants them. `protect` marks what users wrote."""

    def __init__(self, habits: Habits, protect: Text) -> None:
        self._habits = habits
        self._protect = protect

    def of(
        self,
        messages: Sequence[Message],
        *,
        parse: Callable[[str], Any],
        tools: object,
        continue_final: bool,
    ) -> list[dict[str, Any]]:
        """`parse` reads the arguments of calls. `continue_final` ends the last with a mark to be cut at."""
        if self._habits.empty_is_null:
            messages = [part for message in messages for part in _apart(message)]
        turns = [self._turn(message, parse) for message in messages]
        if continue_final:
            # The space shows whether the template trims: then the message loses its own, too.
            turns[-1]["content"] += CUT + " "
        if self._habits.content_in_parts:
            for turn in turns:
                turn["content"] = [{"type": "text", "text": turn["content"] or ""}]
        if tools and self._habits.tools_in_message:
            if not turns or turns[0]["role"] != "system":
                turns.insert(0, {"role": "system", "content": ""})
            turns[0]["tools"] = json.dumps(tools, ensure_ascii=False)
        return turns

    def _turn(self, message: Message, parse: Callable[[str], Any]) -> dict[str, Any]:
        """Keys without a value are absent."""
        protect = self._protect
        turn: dict[str, Any] = {"role": message.role, "content": protect(message.content)}
        if message.name is not None:
            turn["name"] = protect(message.name)
        if message.reasoning:
            reasoning = protect(message.reasoning)
            turn |= dict.fromkeys(("reasoning_content", "reasoning", "thinking"), reasoning)
        if message.tool_call_id is not None:
            turn["tool_call_id"] = protect(message.tool_call_id)
        if message.tool_calls:
            if not message.content and self._habits.empty_is_null:
                turn["content"] = None
            turn["tool_calls"] = [
                {
                    "id": protect(call.id),
                    "type": "function",
                    "function": {
                        "name": protect(call.name),
                        "arguments": copied(parse(call.arguments), protect),
                    },
                }
                for call in message.tool_calls
            ]
        return turn


def _apart(message: Message) -> Iterator[Message]:
    """What is said before calls as a turn of its own."""
    if message.content and message.tool_calls:
        yield replace(message, tool_calls=())
        message = replace(message, content="", reasoning="")
    yield message


def copied(value: Any, text: Text) -> Any:
    """A copy of a JSON value with `text` of every string in it, so that templates may change it."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {text(str(key)): copied(item, text) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(item, text) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return text(str(value))
