"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.choices import ChoicesWriter
from lmnb.api.openai.timings import timings
from lmnb.api.openai.tool_calls import ToolCalls
from lmnb.api.openai.usage import Figures, add_usage, chat_logprobs
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import GenerationEvent, ReasoningDelta, ToolCallDelta, Usage

__all__ = ["ChatCompletionsHandler"]


class ChatCompletionsHandler(ApiHandler):
    """Chat, streamed or not."""

    figures: Figures = staticmethod(timings)

    @endpoint
    async def post(self) -> None:
        request = await self.read(ChatRequest)
        writer = ChatWriter(request, self.figures)
        await answer(self, await self.make(request.choices), writer, stream=request.stream)


class ChatWriter(ChoicesWriter):
    """Choices are messages, with reasoning and calls of tools."""

    prefix = "chatcmpl"
    chunk_object, whole_object = "chat.completion.chunk", "chat.completion"
    end: ClassVar[dict[str, Any]] = {"delta": {}}

    def __init__(self, request: ChatRequest, figures: Figures) -> None:
        super().__init__(request.n, request, figures)
        if request.service_tier:  # who asks for one is told which it was
            self._head["service_tier"] = "default"
        self._shows_reasoning = request.include_reasoning
        self._reasoning: list[list[str]] = [[] for _ in range(request.n)]
        self._calls = [ToolCalls(request.legacy) for _ in range(request.n)]

    def said(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}}

    def logprobs(self, index: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        return chat_logprobs(tokens, self._token_name)

    def usage(self) -> Usage:
        return add_usage((0, finished.usage) for finished in self._finished.values())

    def reason(self, index: int) -> str:
        reason = super().reason(index)
        return self._calls[index].finish_reason if reason == "tool_calls" else reason

    def opening(self, index: int) -> bytes:
        first = self._prompt_ids() if index == 0 else {}
        return self.write(index, {"delta": {"role": "assistant", "content": ""}}, **first)

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is ReasoningDelta:
            shown = event.text if self._shows_reasoning else ""
            if not shown and not (self._wants_ids and event.logprobs):
                return b""
            return self.tokens(index, {"delta": _reasoning(shown) if shown else {}}, event)
        if type(event) is ToolCallDelta:
            return self.write(index, {"delta": self._calls[index].delta(event)})
        return super().chunk(index, event)

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, ReasoningDelta) and self._shows_reasoning:
            self._reasoning[index].append(event.text)
        if isinstance(event, ToolCallDelta):
            self._calls[index].collect(event)
        else:
            super().collect(index, event)

    def whole(self) -> dict[str, Any]:
        return {**super().whole(), **self._prompt_ids()}

    def _prompt_ids(self) -> dict[str, Any]:
        return {"prompt_token_ids": self._generations[0].prompt_ids} if self._wants_ids else {}

    def choices(self) -> list[dict[str, Any]]:
        return [self._choice(index) for index in range(len(self._text))]

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
            "logprobs": self.logprobs(index, self._tokens[index]) if self._wants_logprobs else None,
            "finish_reason": self.reason(index),
            **self.ids(self._thoughts[index] + self._tokens[index]),
        }


def _reasoning(text: str) -> dict[str, str]:
    """Under both names that clients look for."""
    return {"reasoning_content": text, "reasoning": text}
