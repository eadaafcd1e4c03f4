"""What a client may send to `/v1/chat/completions`, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT32, Integer
from lmnb.api.openai.chat_message import ChatMessage
from lmnb.api.openai.dialects import ReportFields
from lmnb.api.openai.response_format import FormatFields
from lmnb.api.openai.sampling import (
    NO_LIMIT,
    GenerationFields,
    Limit,
    thinking_variables,
    token_limit,
)
from lmnb.api.openai.tools import ToolFields
from lmnb.api.refusing import unsupported
from lmnb.chat.message import Message
from lmnb.service.request import GenerationRequest

__all__ = ["ChatRequest"]


class ChatRequest(GenerationFields, ReportFields, ToolFields, FormatFields):
    """The body."""

    refused: ClassVar[Mapping[str, str]] = {
        **ReportFields.refused,
        "audio": "audio output",
        "chat_template": "a chat template of the request's own",
        "documents": "a list of documents beside the messages",
        "echo": "the echo of a conversation",
        "moderation": "moderation",
    }

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: Limit | None = None
    logprobs: bool = False
    top_logprobs: Annotated[Integer, Field(ge=0, le=20)] = 0
    modalities: list[str] = []
    web_search_options: Any = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    thinking_budget_tokens: Annotated[
        Integer,
        Field(
            ge=NO_LIMIT,
            le=INT32,
            validation_alias=AliasChoices(
                "thinking_budget_tokens", "reasoning_budget_tokens", "thinking_token_budget"
            ),
        ),
    ] = NO_LIMIT
    """llama-server's names, and vLLM's."""
    enable_thinking: bool | None = None
    reasoning_format: Literal["auto", "deepseek"] = "auto"
    """llama-server's: the thinking beside the answer. Its other formats leave it in the answer."""
    parse_tool_calls: Literal[True] = True
    chat_template_kwargs: dict[str, Any] = {}
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    """vLLM's two words on whether an answer that the client began is carried on. None: it is, as
    llama-server does."""
    include_reasoning: bool = True
    """vLLM's: whether the thinking is a part of the answer."""

    @model_validator(mode="after")
    def _can_be_done(self) -> ChatRequest:
        for field in ("max_tokens", "max_completion_tokens"):
            if getattr(self, field) == 0:
                raise PydanticCustomError("limit", "should be at least 1", {"field": (field,)})
        if self.top_logprobs and not self.logprobs:
            raise PydanticCustomError(
                "needs_logprobs", "needs 'logprobs' to be true", {"field": ("top_logprobs",)}
            )
        for modality in self.modalities:
            if modality != "text":
                raise unsupported(f"an answer in '{modality}'", "modalities")
        if self.web_search_options is not None:
            raise unsupported("a search of the web", "web_search_options")
        return self

    @model_validator(mode="after")
    def _can_be_continued(self) -> ChatRequest:
        if self.continue_final_message:
            why = None
            if self.add_generation_prompt:
                why = "cannot be true beside 'add_generation_prompt'"
            elif not self.messages[-1].to_message().is_begun:
                why = "needs a last message that is an assistant's text"
            if why:
                context = {"why": why, "field": ("continue_final_message",)}
                raise PydanticCustomError("continue", "{why}", context)
        return self

    def choices(self) -> list[GenerationRequest]:
        """One request for each of the `n` choices."""
        messages = tuple(message.to_message() for message in self.messages)
        tools, choice_of_tools = self.offered(), self.choice()
        limit = (
            self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        )
        return [
            GenerationRequest(
                model=self.model,
                messages=messages,
                sampling=self.sampling(choice),
                max_tokens=token_limit(limit),
                stop=self.stops,
                logprobs=self.top_logprobs if self.logprobs else None,
                thinking_tokens=token_limit(self.thinking_budget_tokens),
                template_kwargs=self._template_kwargs(),
                add_generation_prompt=self.add_generation_prompt is not False,
                continue_final=self._continues(messages[-1]),
                ignore_eos=self.ignore_eos,
                progress=self.wants_progress,
                rules=self.rules(),
                response_format=self.wanted_format(),
                tools=tools,
                tool_choice=choice_of_tools,
                ttl=self.ttl,
            )
            for choice in range(self.n)
        ]

    def _continues(self, last: Message) -> bool:
        if self.continue_final_message is not None:
            return self.continue_final_message
        return last.is_begun and not self.add_generation_prompt

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs

    def _template_kwargs(self) -> dict[str, Any]:
        thinking = thinking_variables(self.reasoning_effort)
        if self.enable_thinking is not None:
            thinking["enable_thinking"] = self.enable_thinking
        return {**thinking, **self.chat_template_kwargs}
