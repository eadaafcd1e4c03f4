"""LM Studio's native answers."""

from __future__ import annotations

from typing import Literal, NotRequired

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
