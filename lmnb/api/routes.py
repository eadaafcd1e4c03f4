"""Every route, in one table that each host mounts where it likes."""

from __future__ import annotations

from lmnb.api.anthropic.messages import CountTokensHandler, MessagesHandler
from lmnb.api.base import ApiHandler
from lmnb.api.health import HealthHandler
from lmnb.api.lmstudio.routes import LMSTUDIO_ROUTES
from lmnb.api.metrics import MetricsHandler
from lmnb.api.not_found import RouteNotFoundHandler
from lmnb.api.openai.chat import ChatCompletionsHandler
from lmnb.api.openai.completions import CompletionsHandler
from lmnb.api.openai.counting import ChatInputTokensHandler
from lmnb.api.openai.embeddings import EmbeddingsHandler
from lmnb.api.openai.models import ModelHandler, ModelsHandler
from lmnb.api.openai.responses.routes import RESPONSES_ROUTES
from lmnb.api.openai.tokenize import (
    ApplyTemplateHandler,
    DetokenizeHandler,
    TokenizeHandler,
    TokenizerInfoHandler,
)
from lmnb.api.openapi import OpenApiHandler
from lmnb.api.rerank import RerankHandler

__all__ = ["ROUTES", "mount"]

ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (r"(?:/v1)?/health/?", HealthHandler),
    (r"/metrics/?", MetricsHandler),
    (r"(?:/v1)?/openapi\.json", OpenApiHandler),
    (r"/v1/models/?", ModelsHandler),
    (r"/v1/models/(.+)", ModelHandler),
    (r"/v1/chat/completions/?", ChatCompletionsHandler),
    (r"/v1/chat/completions/input_tokens/?", ChatInputTokensHandler),
    (r"/v1/completions/?", CompletionsHandler),
    *RESPONSES_ROUTES,
    (r"(?:/v1)?/tokenize/?", TokenizeHandler),
    (r"(?:/v1)?/detokenize/?", DetokenizeHandler),
    (r"(?:/v1)?/tokenizer_info/?", TokenizerInfoHandler),
    (r"(?:/v1)?/apply-template/?", ApplyTemplateHandler),
    (r"/v1/messages/?", MessagesHandler),
    (r"/v1/messages/count_tokens/?", CountTokensHandler),
    (r"/v1/embeddings/?", EmbeddingsHandler),
    (r"(?:/v1)?/rerank/?", RerankHandler),
    *LMSTUDIO_ROUTES,
    (r"(?:/.*)?", RouteNotFoundHandler),
]


def mount(host: type[ApiHandler], prefix: str = "") -> list[tuple[str, type[ApiHandler]]]:
    """The table under `prefix`, each handler with `host`'s way of saying who may call."""
    return [
        (prefix + pattern, type(handler.__name__, (host, handler), {}))
        for pattern, handler in ROUTES
    ]
