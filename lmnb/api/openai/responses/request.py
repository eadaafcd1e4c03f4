"""What a client may send to `/v1/responses`, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT64, Body, Integer
from lmnb.api.openai.dialects import TokenFields
from lmnb.api.openai.response_format import FormatFields
from lmnb.api.openai.responses.items import InputItem, ItemReference, Items, to_json
from lmnb.api.openai.responses.text_format import TextOptions
from lmnb.api.openai.responses.tools import ToolFields
from lmnb.api.openai.sampling import NO_LIMIT, GenerationFields, thinking_variables, token_limit
from lmnb.api.refusing import unsupported
from lmnb.chat.grammar import ResponseFormat
from lmnb.chat.message import Message
from lmnb.service.request import GenerationRequest

__all__ = ["ContextFields", "Metadata", "ReasoningOptions", "ResponseRequest"]

Include = Literal[
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "message.input_image.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
]
Metadata = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        Annotated[str, Field(max_length=512)],
    ],
    Field(max_length=16),
]


def _conversation_id(value: Any) -> Any:
    return value.get("id", value) if isinstance(value, dict) else value


class ReasoningOptions(Body):
    effort: str | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ContextFields(Body):
    """What the model is told: this turn's input, and where earlier turns are."""

    input: Items = []
    instructions: str | list[InputItem] | None = None
    previous_response_id: str | None = None
    conversation: Annotated[str, BeforeValidator(_conversation_id)] | None = None

    @model_validator(mode="after")
    def _has_context(self) -> ContextFields:
        if self.previous_response_id and self.conversation:
            raise PydanticCustomError(
                "two_contexts",
                "cannot be used together with 'previous_response_id'",
                {"field": ("conversation",)},
            )
        given = self.instructions
        if isinstance(given, list) and any(isinstance(item, ItemReference) for item in given):
            raise unsupported("a reference to an item", "instructions")
        told = {"input", "previous_response_id", "conversation"}
        if not told & self.model_fields_set:
            raise PydanticCustomError("missing", "", {"field": ("input",)})
        return self

    def instruction_items(self) -> list[dict[str, Any]]:
        """For this response alone: later ones do not inherit them."""
        if self.instructions is None:
            return []
        if isinstance(self.instructions, str):
            text = {"type": "input_text", "text": self.instructions}
            return [{"type": "message", "role": "system", "content": [text]}]
        return [to_json(item, "resp_", n) for n, item in enumerate(self.instructions)]


class ResponseRequest(GenerationFields, TokenFields, ToolFields, FormatFields, ContextFields):
    """The body. `stream_options` and the like need nothing from us."""

    refused: ClassVar[Mapping[str, str]] = {
        **TokenFields.refused,
        "prompt": "a stored prompt",
        "moderation": "moderation of what is asked and answered",
        "context_management": "compaction in the middle of an answer ('truncation' can be 'auto')",
        "max_tokens": "'max_tokens' ('max_output_tokens' is its name here)",
    }

    stream_options: dict[str, Any] = {}  # type: ignore[assignment]  # nothing in it is ours
    store: bool = True
    background: bool = False
    max_output_tokens: Annotated[Integer, Field(ge=NO_LIMIT, le=INT64)] | None = None
    max_tool_calls: Annotated[Integer, Field(ge=1)] | None = None
    text: TextOptions = TextOptions()
    include: list[Include] = []
    top_logprobs: Annotated[Integer, Field(ge=0, le=20)] = 0
    reasoning: ReasoningOptions = ReasoningOptions()
    truncation: Literal["auto", "disabled"] = "disabled"
    metadata: Metadata = {}
    chat_template_kwargs: dict[str, Any] = {}
    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    generate: bool = True
    """WebSocket only: False prepares a context and generates nothing."""

    @model_validator(mode="after")
    def _can_be_done(self) -> ResponseRequest:
        if self.background and not self.store:
            raise PydanticCustomError(
                "not_stored", "needs 'store' to be true", {"field": ("background",)}
            )
        if self.servers and self.truncation == "auto":
            raise unsupported("'auto' beside MCP servers", "truncation")
        if self.n > 1:
            raise PydanticCustomError("one", "should be 1: a response is one", {"field": ("n",)})
        if self.max_output_tokens == 0:
            raise PydanticCustomError(
                "limit", "should be at least 1", {"field": ("max_output_tokens",)}
            )
        return self

    @property
    def wants_logprobs(self) -> bool:
        return "message.output_text.logprobs" in self.include or self.top_logprobs > 0

    @property
    def wants_sealed_reasoning(self) -> bool:
        return "reasoning.encrypted_content" in self.include

    def generation(self, messages: Sequence[Message]) -> GenerationRequest:
        return GenerationRequest(
            model=self.model,
            messages=tuple(messages),
            messages_field="input",
            sampling=self.sampling(),
            max_tokens=token_limit(self.max_output_tokens),
            stop=self.stops,
            logprobs=self.top_logprobs if self.wants_logprobs else None,
            ignore_eos=self.ignore_eos,
            rules=self.rules(),
            response_format=self.wanted_format(),
            template_kwargs=self._template_kwargs(),
            tools=self.offered(),
            tool_choice=self.choice(),
            ttl=self.ttl,
        )

    def _all(self) -> list[ResponseFormat]:
        said = self.text.format.wanted()
        return [*([said] if said else []), *super()._all()]

    def _template_kwargs(self) -> dict[str, Any]:
        return {**thinking_variables(self.reasoning.effort), **self.chat_template_kwargs}
