"""What can be asked of us: each route with what it takes and what it gives."""

from __future__ import annotations

from typing import Any

from lmnb.api.answers import anthropic, chat, helpers, models, responses
from lmnb.api.anthropic.request import CountRequest, MessagesRequest
from lmnb.api.lmstudio.operations import LMSTUDIO_OPERATIONS
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.completion_request import CompletionRequest
from lmnb.api.openai.embeddings import EmbeddingsRequest
from lmnb.api.openai.responses.conversations import ConversationUpdate, NewConversation, NewItems
from lmnb.api.openai.responses.paging import PageQuery
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.stored import ResponseQuery
from lmnb.api.openai.tokenize import DetokenizeRequest, TemplateRequest, TokenizeRequest
from lmnb.api.operation import Operation
from lmnb.api.rerank import RerankRequest

__all__ = ["OPERATIONS"]


OPERATIONS = (
    Operation("get", "/health", "Is anybody there", models.Health, public=True),
    Operation("get", "/metrics", "Figures for Prometheus", None),
    Operation("get", "/v1/models", "Everything that can be run", models.ModelList),
    Operation("get", "/v1/models/{id}", "One model", models.Model),
    Operation(
        "post",
        "/v1/chat/completions",
        "Continue a conversation",
        chat.ChatCompletion,
        ChatRequest,
        streams=True,
    ),
    Operation(
        "post",
        "/v1/chat/completions/input_tokens",
        "How long a conversation is",
        chat.InputTokens,
        ChatRequest,
    ),
    Operation(
        "post",
        "/v1/completions",
        "Continue a text",
        chat.Completion,
        CompletionRequest,
        streams=True,
    ),
    Operation(
        "post",
        "/v1/responses",
        "Continue a conversation, and keep it",
        responses.Response,
        ResponseRequest,
        streams=True,
    ),
    Operation(
        "get",
        "/v1/responses/{id}",
        "A kept response",
        responses.Response,
        query=ResponseQuery,
        streams=True,
    ),
    Operation("delete", "/v1/responses/{id}", "Forget a response", responses.Deleted),
    Operation(
        "get",
        "/v1/responses/{id}/input_items",
        "What it answered",
        responses.Items,
        query=PageQuery,
    ),
    Operation("post", "/v1/responses/{id}/cancel", "Stop it in the background", responses.Response),
    Operation(
        "post",
        "/v1/responses/input_tokens",
        "How long the prompt would be",
        responses.InputTokens,
        ResponseRequest,
    ),
    Operation(
        "post",
        "/v1/responses/compact",
        "What was said, made short",
        responses.Compaction,
        ResponseRequest,
    ),
    Operation(
        "post", "/v1/conversations", "Begin a conversation", responses.Conversation, NewConversation
    ),
    Operation("get", "/v1/conversations/{id}", "A conversation", responses.Conversation),
    Operation(
        "post",
        "/v1/conversations/{id}",
        "Change what is noted of it",
        responses.Conversation,
        ConversationUpdate,
    ),
    Operation("delete", "/v1/conversations/{id}", "Forget a conversation", responses.Deleted),
    Operation(
        "get", "/v1/conversations/{id}/items", "What was said", responses.Items, query=PageQuery
    ),
    Operation("post", "/v1/conversations/{id}/items", "Add to it", responses.Items, NewItems),
    Operation("get", "/v1/conversations/{id}/items/{item_id}", "One item", dict[str, Any]),
    Operation(
        "delete",
        "/v1/conversations/{id}/items/{item_id}",
        "Take an item out",
        responses.Conversation,
    ),
    Operation("post", "/v1/embeddings", "Texts as vectors", helpers.Embeddings, EmbeddingsRequest),
    Operation(
        "post",
        "/v1/rerank",
        "Documents, the best answer first",
        helpers.Ranking | list[helpers.Score],
        RerankRequest,
    ),
    Operation("post", "/v1/tokenize", "Text to tokens", helpers.Tokens, TokenizeRequest),
    Operation("post", "/v1/detokenize", "Tokens to text", helpers.Content, DetokenizeRequest),
    Operation("get", "/v1/tokenizer_info", "The tokenizer", helpers.TokenizerInfo),
    Operation(
        "post", "/v1/apply-template", "Messages to a prompt", helpers.Prompt, TemplateRequest
    ),
    Operation(
        "post",
        "/v1/messages",
        "Continue a conversation, in Anthropic's dialect",
        anthropic.AnthropicMessage,
        MessagesRequest,
        streams=True,
        error=anthropic.AnthropicError,
    ),
    Operation(
        "post",
        "/v1/messages/count_tokens",
        "How long the prompt would be",
        anthropic.TokenCount,
        CountRequest,
        error=anthropic.AnthropicError,
    ),
    *LMSTUDIO_OPERATIONS,
)
