"""POST /v1/chat/completions/input_tokens: how long a conversation is, as llama-server counts it."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.chat_request import ChatRequest

__all__ = ["ChatInputTokensHandler"]


class ChatInputTokensHandler(ApiHandler):
    """Counts exactly what would be computed, tools and template included; with the model's room."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ChatRequest)
        choices = await self.make(request.choices)
        count, context = await self.services.generations.count_tokens(choices[0])
        self.reply(
            {
                "object": "response.input_tokens",
                "input_tokens": count,
                "context_length": context,
            }
        )
