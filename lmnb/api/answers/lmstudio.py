"""LM Studio's native answers."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from lmnb.api.answers.chat import ChatCompletion, Completion


class Model0(TypedDict):
    id: str
    object: Literal["model"]
    type: Literal["llm", "vlm", "embeddings"]
    publisher: str
    arch: str
    compatibility_type: Literal["gguf"]
    quantization: str
    state: Literal["loaded", "not-loaded"]
    max_context_length: int
    loaded_context_length: NotRequired[int]
    capabilities: NotRequired[list[str]]


class ModelList0(TypedDict):
    object: Literal["list"]
    data: list[Model0]


class Stats0(TypedDict):
    """Seconds."""

    tokens_per_second: float
    time_to_first_token: float
    generation_time: float
    stop_reason: Literal[
        "eosFound",
        "stopStringFound",
        "toolCalls",
        "maxPredictedTokensReached",
        "contextLengthReached",
        "userStopped",
    ]


class ModelInfo0(TypedDict):
    arch: str
    quant: str
    format: Literal["gguf"]
    context_length: int


class Runtime0(TypedDict):
    name: str
    version: str
    supported_formats: list[str]


class ChatCompletion0(ChatCompletion):
    stats: Stats0
    model_info: ModelInfo0
    runtime: Runtime0


class Completion0(Completion):
    stats: Stats0
    model_info: ModelInfo0
    runtime: Runtime0


class MessageOutput(TypedDict):
    type: Literal["message"]
    content: str


class ReasoningOutput(TypedDict):
    type: Literal["reasoning"]
    content: str


class PluginProvider(TypedDict):
    type: Literal["plugin"]
    plugin_id: str


class EphemeralProvider(TypedDict):
    type: Literal["ephemeral_mcp"]
    server_label: str


Provider = PluginProvider | EphemeralProvider


class ToolCallOutput(TypedDict):
    type: Literal["tool_call"]
    tool: str
    arguments: dict[str, Any]
    output: str
    provider_info: Provider


class InvalidCall(TypedDict):
    type: Literal["invalid_name", "invalid_arguments"]
    tool_name: str
    provider_info: NotRequired[Provider]


class InvalidCallOutput(TypedDict):
    type: Literal["invalid_tool_call"]
    reason: str
    metadata: InvalidCall


class ChatStats(TypedDict):
    input_tokens: int
    total_output_tokens: int
    reasoning_output_tokens: int
    tokens_per_second: float
    time_to_first_token_seconds: float
    model_load_time_seconds: NotRequired[float]


class NativeChat(TypedDict):
    model_instance_id: str
    output: list[MessageOutput | ReasoningOutput | ToolCallOutput | InvalidCallOutput]
    stats: ChatStats
    response_id: NotRequired[str]


class NativeErrorDetail(TypedDict):
    type: Literal[
        "invalid_request",
        "unknown",
        "mcp_connection_error",
        "plugin_connection_error",
        "not_implemented",
        "model_not_found",
        "job_not_found",
        "internal_error",
    ]
    message: str
    code: NotRequired[str]
    param: NotRequired[str]


class NativeError(TypedDict):
    error: NativeErrorDetail
