"""Every route of version 0, and what can be asked of it."""

from __future__ import annotations

from lmnb.api.answers import helpers, lmstudio
from lmnb.api.base import ApiHandler
from lmnb.api.lmstudio.v0.generating import NativeChatCompletionsHandler, NativeCompletionsHandler
from lmnb.api.lmstudio.v0.models import NativeModelHandler, NativeModelsHandler
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.completion_request import CompletionRequest
from lmnb.api.openai.embeddings import EmbeddingsHandler, EmbeddingsRequest
from lmnb.api.operation import Operation

__all__ = ["V0_OPERATIONS", "V0_ROUTES"]

V0_ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (r"/api/v0/models/?", NativeModelsHandler),
    (r"/api/v0/models/(.+)", NativeModelHandler),
    (r"/api/v0/chat/completions/?", NativeChatCompletionsHandler),
    (r"/api/v0/completions/?", NativeCompletionsHandler),
    (r"/api/v0/embeddings/?", EmbeddingsHandler),
]

V0_OPERATIONS = (
    Operation("get", "/api/v0/models", "Models on disk and loaded", lmstudio.ModelList0),
    Operation("get", "/api/v0/models/{id}", "One model", lmstudio.Model0),
    Operation(
        "post",
        "/api/v0/chat/completions",
        "Continue a conversation, with figures",
        lmstudio.ChatCompletion0,
        ChatRequest,
        streams=True,
    ),
    Operation(
        "post",
        "/api/v0/completions",
        "Continue a text, with figures",
        lmstudio.Completion0,
        CompletionRequest,
        streams=True,
    ),
    Operation(
        "post", "/api/v0/embeddings", "Texts as vectors", helpers.Embeddings, EmbeddingsRequest
    ),
)
