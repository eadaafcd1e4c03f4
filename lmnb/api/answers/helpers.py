"""Vectors, rankings and tokens; errors."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class Error(TypedDict):
    error: ErrorDetail


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


class Score(TypedDict):
    index: int
    score: float
    text: NotRequired[str]


class Ranking(TypedDict):
    id: str
    object: Literal["list"]
    model: str
    results: list[Rank]
    usage: PromptUsage


class Piece(TypedDict):
    id: int
    piece: str | list[int]


class Tokens(TypedDict):
    tokens: list[int] | list[Piece]
    count: int
    max_model_len: int
    token_strs: NotRequired[list[str] | None]


class Content(TypedDict):
    content: str
    prompt: str


class TokenizerInfo(TypedDict):
    """As vLLM tells of it."""

    tokenizer_class: str
    bos_token: str | None
    eos_token: str | None
    pad_token: str | None
    chat_template: str | None
    model_max_length: int
    vocab_size: int


class Prompt(TypedDict):
    prompt: str
