"""Items to the one internal form of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lmnb.api.openai.responses.mcp_items import as_functions
from lmnb.api.openai.responses.parts import content_of, text_of
from lmnb.api.openai.responses.sealed import unseal
from lmnb.chat.message import Message, Role, ToolCall
from lmnb.errors import InvalidRequest

__all__ = ["check_calls", "to_messages"]

Item = dict[str, Any]
SUMMARY = "Summary of our conversation so far:\n\n"


def check_calls(items: Iterable[Item]) -> None:
    """Raises InvalidRequest where the output of a function stands without its call."""
    calls = set()
    for item in items:
        if item["type"] == "function_call":
            calls.add(item["call_id"])
        elif item["type"] == "function_call_output" and item["call_id"] not in calls:
            raise InvalidRequest(
                f"No tool call found for function call output with call_id {item['call_id']}.",
                param="input",
            )


def to_messages(items: Sequence[Item]) -> tuple[Message, ...]:
    """Thinking, text and calls of one assistant's turn become one message."""
    messages: list[Message] = []
    names: dict[str, str] = {}
    thinking = ""
    for item in as_functions(items):
        match item["type"]:
            case "reasoning":
                thinking = _thinking(item)
                continue
            case "message":
                role: Role = "system" if item["role"] == "developer" else item["role"]
                text, images = content_of(item["content"])
                message = Message(role, text, images=images)
            case "function_call":
                names[item["call_id"]] = item["name"]
                call = ToolCall(item["call_id"], item["name"], item["arguments"])
                message = Message("assistant", "", tool_calls=(call,))
            case "function_call_output":
                output = item["output"]
                text, images = (output, ()) if isinstance(output, str) else content_of(output)
                message = Message(
                    "tool",
                    text,
                    images=images,
                    name=names.get(item["call_id"]),
                    tool_call_id=item["call_id"],
                )
            case _:
                message = Message("assistant", SUMMARY + unseal(item["encrypted_content"]))
        if message.role == "assistant" and thinking:
            message = replace(message, reasoning=thinking)
        thinking = ""
        if message.tool_calls and messages and _goes_on(messages[-1], message):
            message = _join(messages.pop(), message)
        messages.append(message)
    return tuple(messages)


def _goes_on(last: Message, message: Message) -> bool:
    return last.role == "assistant" and not (last.tool_calls and message.reasoning)


def _join(last: Message, message: Message) -> Message:
    return replace(
        last,
        reasoning=last.reasoning or message.reasoning,
        tool_calls=last.tool_calls + message.tool_calls,
    )


def _thinking(item: Item) -> str:
    """Whichever form came back: in the open, sealed by us, or a summary."""
    text = text_of(item.get("content") or [])
    if not text and item.get("encrypted_content"):
        try:
            text = unseal(item["encrypted_content"])
        except InvalidRequest:  # another server's: only that one can read it
            pass
    return text or text_of(item.get("summary") or [])
