"""What our routes answer, as types: the OpenAPI description is made of them, and tests check them.

Answers may hold more than is said here; they never hold less.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Object = dict[str, Any]


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class Error(TypedDict):
    error: ErrorDetail


class Health(TypedDict):
    status: Literal["ok"]


# -- models


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: int | None
    state: Literal["loaded", "not-loaded"]


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[Model]


class Quantization(TypedDict):
    name: str | None
    bits_per_weight: float | None


class Instance(TypedDict):
    id: str
    config: Object


class NativeModel(TypedDict):
    """LM Studio's description of a model."""

    type: Literal["llm", "embedding"]
    publisher: str | None
    key: str
    display_name: str
    architecture: str | None
    quantization: Quantization
    size_bytes: int
    params_string: str | None
    loaded_instances: list[Instance]
    max_context_length: int | None
    format: Literal["gguf"]
    capabilities: Object
    path: str


class NativeModelList(TypedDict):
    models: list[NativeModel]


class ModelLoad(TypedDict):
    type: Literal["llm", "embedding"]
    instance_id: str
    load_time_seconds: float
    status: Literal["loaded"]
    load_config: NotRequired[Object]


class ModelUnload(TypedDict):
    instance_id: str


class Status(TypedDict):
    version: str
    uptime_seconds: float
    base_url: str
    loaded: list[Object]
    machine: Object


# -- chat and completions


class PromptDetails(TypedDict):
    cached_tokens: int


class CompletionDetails(TypedDict):
    reasoning_tokens: int


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Timings(TypedDict):
    """llama-server's, in milliseconds."""

    prompt_n: int
    prompt_ms: float
    cache_n: int
    predicted_n: int
    predicted_ms: float
    predicted_per_second: float
    queue_ms: float
    first_token_ms: float
    context_length: int


class TopLogprob(TypedDict):
    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(TypedDict):
    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | None


class CalledFunction(TypedDict):
    name: str
    arguments: str


class ToolCall(TypedDict):
    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(TypedDict):
    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]


FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter"]


class ChatChoice(TypedDict):
    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    timings: Timings


class Logprobs(TypedDict):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(TypedDict):
    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"]


class Completion(TypedDict):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    timings: Timings


# -- responses


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


# -- embeddings and reranking


class Embedding(TypedDict):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class PromptUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class Embeddings(TypedDict):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: PromptUsage


class Rank(TypedDict):
    index: int
    relevance_score: float
    document: NotRequired[dict[str, str]]


class Ranking(TypedDict):
    id: str
    model: str
    results: list[Rank]
    usage: PromptUsage


# -- helpers


class Piece(TypedDict):
    id: int
    piece: str | list[int]


class Tokens(TypedDict):
    tokens: list[int] | list[Piece]
    count: int
    max_model_len: int


class Content(TypedDict):
    content: str
    prompt: str


class TokenizerInfo(TypedDict):
    bos_token: str | None
    eos_token: str | None
    chat_template: str | None
    model_max_length: int


class Prompt(TypedDict):
    prompt: str


# -- Anthropic


class AnthropicErrorDetail(TypedDict):
    type: str
    message: str


class AnthropicError(TypedDict):
    type: Literal["error"]
    error: AnthropicErrorDetail
    request_id: str


class AnthropicUsage(TypedDict):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class AnthropicMessage(TypedDict):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Object]
    stop_reason: Literal[
        "end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"
    ]
    stop_sequence: str | None
    usage: AnthropicUsage


class TokenCount(TypedDict):
    input_tokens: int
