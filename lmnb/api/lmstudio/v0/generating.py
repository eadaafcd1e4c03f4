"""POST /api/v0/chat/completions and /api/v0/completions: OpenAI's, with figures. Of a stream, the
last chunk of each choice has them."""

from __future__ import annotations

from lmnb.api.lmstudio.v0.figures import figures
from lmnb.api.openai.chat import ChatCompletionsHandler
from lmnb.api.openai.completions import CompletionsHandler

__all__ = ["NativeChatCompletionsHandler", "NativeCompletionsHandler"]


class NativeChatCompletionsHandler(ChatCompletionsHandler):
    figures = staticmethod(figures)


class NativeCompletionsHandler(CompletionsHandler):
    figures = staticmethod(figures)
