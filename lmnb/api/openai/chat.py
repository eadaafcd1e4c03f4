"""POST /v1/chat/completions."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.tool_calls import ToolCalls
from lmnb.api.openai.usage import Figures, add_usage, chat_logprobs, timings, usage_json
from lmnb.api.sse import DONE
from lmnb.api.sse import event as sse
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from lmnb.service.generation import Generation

__all__ = ["ChatCompletionsHandler"]

encode = msgspec.json.encode
FINISH = {"cancelled": "stop"}


class ChatCompletionsHandler(ApiHandler):
    """Chat, streamed or not."""

    figures: Figures = staticmethod(timings)

    @endpoint
    async def post(self) -> None:
        request = await self.read(ChatRequest)
        writer = ChatWriter(request, self.figures)
        await answer(self, request.choices(), writer, stream=request.stream)


class ChatWriter:
    """Writes events as chat completions: chunks of a stream, or one whole answer."""

    def __init__(self, request: ChatRequest, figures: Figures) -> None:
        self._figures = figures
        self._logprobs = request.logprobs
        self._include_usage = request.stream_options.include_usage
        self._finished: dict[int, Finished] = {}
        self._text: list[list[str]] = [[] for _ in range(request.n)]
        self._reasoning: list[list[str]] = [[] for _ in range(request.n)]
        self._tokens: list[list[TokenLogprob]] = [[] for _ in range(request.n)]
        self._calls = [ToolCalls(request.legacy) for _ in range(request.n)]
        self._head: dict[str, Any] = {}
        self._frames: list[tuple[bytes, bytes]] = []

    def begin(self, generation: Generation) -> None:
        self._model = generation.loaded
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": generation.model,
        }
        # A plain token is the common chunk: everything around its text is made once.
        mark = "\0"
        for index in range(len(self._text)):
            before, after = self._chunk(index, {"content": mark}).split(encode(mark))
            self._frames.append((before, after))

    # -- streamed

    def opening(self, index: int) -> bytes:
        return self._chunk(index, {"role": "assistant", "content": ""})

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is TextDelta:
            if event.logprobs and self._logprobs:
                return self._chunk(
                    index, {"content": event.text}, logprobs=chat_logprobs(event.logprobs)
                )
            if not event.text:
                return b""
            before, after = self._frames[index]
            return before + encode(event.text) + after
        if type(event) is ReasoningDelta:
            return self._chunk(index, _reasoning(event.text)) if event.text else b""
        if type(event) is ToolCallDelta:
            return self._chunk(index, self._calls[index].delta(event))
        if type(event) is Finished:
            self._finished[index] = event
            reason = self._reason(index)
            return self._chunk(index, {}, reason=reason, **self._figures(self._model, event))
        return b""

    def closing(self) -> bytes:
        if not self._include_usage:
            return DONE
        last = {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_json(self._usage()),
            **self._figures(self._model, self._finished[0]),
        }
        return sse(last) + DONE

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
        **figures: Any,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return sse({**chunk, **figures})

    # -- whole

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, TextDelta):
            self._text[index].append(event.text)
            self._tokens[index].extend(event.logprobs)
        elif isinstance(event, ReasoningDelta):
            self._reasoning[index].append(event.text)
        elif isinstance(event, ToolCallDelta):
            self._calls[index].collect(event)
        elif isinstance(event, Finished):
            self._finished[index] = event

    def whole(self) -> dict[str, Any]:
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [self._choice(index) for index in range(len(self._text))],
            "usage": usage_json(self._usage()),
            **self._figures(self._model, self._finished[0]),
        }

    def _choice(self, index: int) -> dict[str, Any]:
        calls = self._calls[index].message()
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._text[index]) or (None if calls else ""),
            "refusal": None,
            **calls,
        }
        if reasoning := "".join(self._reasoning[index]):
            message |= _reasoning(reasoning)
        return {
            "index": index,
            "message": message,
            "logprobs": chat_logprobs(self._tokens[index]) if self._logprobs else None,
            "finish_reason": self._reason(index),
        }

    def _reason(self, index: int) -> str:
        reason = self._finished[index].reason
        if reason == "tool_calls":
            return self._calls[index].finish_reason
        return FINISH.get(reason, reason)

    def _usage(self) -> Usage:
        return add_usage((0, finished.usage) for finished in self._finished.values())


def _reasoning(text: str) -> dict[str, str]:
    """Under both names that clients look for."""
    return {"reasoning_content": text, "reasoning": text}
