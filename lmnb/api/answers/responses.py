"""OpenAI's responses and conversations."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Object = dict[str, Any]


class CachedTokens(TypedDict):
    cached_tokens: int
    cache_write_tokens: int


class ReasoningTokens(TypedDict):
    reasoning_tokens: int


class Usage(TypedDict):
    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class Response(TypedDict):
    """Null until it is known, or where nothing was asked."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    error: Object | None
    incomplete_details: Object | None
    instructions: str | list[Object] | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[Object]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: NotRequired[Object]
    prompt_cache_key: str | None
    reasoning: Object
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: bool
    temperature: float
    text: Object
    tool_choice: str | Object
    tools: list[Object]
    top_logprobs: int
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    truncation: Literal["auto", "disabled"]
    usage: Usage | None
    user: NotRequired[str]
    metadata: Object


class Compaction(TypedDict):
    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[Object]
    usage: Object


class InputTokens(TypedDict):
    object: Literal["response.input_tokens"]
    input_tokens: int


class Items(TypedDict):
    object: Literal["list"]
    data: list[Object]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(TypedDict):
    id: str
    object: str
    deleted: Literal[True]


class Conversation(TypedDict):
    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: Object
