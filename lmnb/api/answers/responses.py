"""OpenAI's responses and conversations."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

Object = dict[str, Any]


class Response(TypedDict):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    output: list[Object]
    error: Object | None
    incomplete_details: Object | None
    instructions: str | list[Object] | None
    previous_response_id: str | None
    metadata: Object
    tools: list[Object]
    usage: Object | None


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
