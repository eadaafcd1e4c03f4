"""Writes events as a message: the events of a stream, or one whole answer."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import from_json

from lmnb.api.anthropic.request import MessagesRequest
from lmnb.api.sse import event as sse
from lmnb.service.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from lmnb.service.generation import Generation

__all__ = ["PING", "MessageWriter"]

SIGNATURE = "lmnb"
"""Anthropic signs thinking, and its SDKs want to see that. Nobody checks ours."""
DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}
PING = sse({"type": "ping"}, "ping")


class MessageWriter:
    """One way for both: a whole answer is what the events of a stream add up to."""

    def __init__(self, request: MessagesRequest) -> None:
        self._stops = request.stops
        self._shows_thinking = request.shows_thinking
        self._message: dict[str, Any] = {}
        self._content: list[dict[str, Any]] = []
        self._parts: list[str] = []
        self._open: tuple[str, int] | None = None

    def begin(self, generations: Sequence[Generation]) -> None:
        (generation,) = generations
        self._message = {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": generation.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_json(Usage(prompt_tokens=generation.prompt_tokens)),
        }

    def opening(self, index: int) -> bytes:
        start = {"type": "message_start", "message": self._message}
        return sse(start, "message_start") + PING

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        return b"".join(sse(step, step["type"]) for step in self._steps(event))

    def closing(self) -> bytes:
        return b""

    def collect(self, index: int, event: GenerationEvent) -> None:
        for _ in self._steps(event):
            pass

    def whole(self) -> dict[str, Any]:
        return {**self._message, "content": self._content}

    # -- what happens, as Anthropic's events

    def _steps(self, event: GenerationEvent) -> Iterator[dict[str, Any]]:
        match event:
            case TextDelta(text) if text:
                yield from self._enter("text", 0, {"type": "text", "text": ""})
                yield self._delta(text)
            case ReasoningDelta(text) if text:
                opened = {"type": "thinking", "thinking": "", "signature": ""}
                yield from self._enter("thinking", 0, opened)
                if self._shows_thinking:
                    yield self._delta(text)
            case ToolCallDelta():
                called: dict[str, Any] = {
                    "type": "tool_use",
                    "id": event.id,
                    "name": event.name,
                    "input": {},
                }
                yield from self._enter("tool_use", event.index, called)
                if event.arguments:
                    yield self._delta(event.arguments)
            case Finished():
                if not self._content:
                    yield from self._enter("text", 0, {"type": "text", "text": ""})
                yield from self._leave()
                yield from self._end(event)

    def _enter(self, kind: str, number: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Begin a block, unless it is the one that is open."""
        if self._open == (kind, number):
            return
        yield from self._leave()
        self._open = kind, number
        self._content.append(block)
        yield {**self._step("content_block_start"), "content_block": dict(block)}

    def _delta(self, text: str) -> dict[str, Any]:
        assert self._open is not None
        self._parts.append(text)
        kind, field = DELTAS[self._open[0]]
        return {**self._step("content_block_delta"), "delta": {"type": kind, field: text}}

    def _leave(self) -> Iterator[dict[str, Any]]:
        if self._open is None:
            return
        kind, text = self._open[0], "".join(self._parts)
        block = self._content[-1]
        if kind == "tool_use":
            block["input"] = _arguments(text)
        else:
            block[kind] = text
        if kind == "thinking":
            block["signature"] = SIGNATURE
            signed = {"type": "signature_delta", "signature": SIGNATURE}
            yield {**self._step("content_block_delta"), "delta": signed}
        yield self._step("content_block_stop")
        self._open = None
        self._parts.clear()

    def _end(self, finished: Finished) -> Iterator[dict[str, Any]]:
        usage = usage_json(finished.usage)
        stop = {"stop_reason": self._reason(finished), "stop_sequence": None}
        if stop["stop_reason"] == "stop_sequence":
            stop["stop_sequence"] = finished.stop_string
        self._message |= {**stop, "usage": usage}
        yield {"type": "message_delta", "delta": stop, "usage": usage}
        yield {"type": "message_stop"}

    def _reason(self, finished: Finished) -> str:
        if finished.reason == "tool_calls":
            return "tool_use"
        if finished.reason == "length":
            return "model_context_window_exceeded" if finished.detail == "context" else "max_tokens"
        return "stop_sequence" if finished.stop_string in self._stops else "end_turn"

    def _step(self, type: str) -> dict[str, Any]:
        return {"type": type, "index": len(self._content) - 1}


def usage_json(usage: Usage) -> dict[str, Any]:
    """Anthropic's `input_tokens` are those that were not in the cache."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _arguments(text: str) -> dict[str, Any]:
    """The object; as much of it as there is, where the answer was cut off."""
    try:
        value = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
