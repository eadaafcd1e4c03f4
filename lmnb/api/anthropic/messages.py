"""POST /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

from lmnb.api.anthropic.request import CountRequest, MessagesRequest
from lmnb.api.anthropic.writer import PING, MessageWriter
from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer

__all__ = ["CountTokensHandler", "MessagesHandler"]


class AnthropicHandler(ApiHandler):
    """Errors and pings as Anthropic's SDKs look for them, whether or not they say who they are."""

    error_event = "error"
    ping = PING
    speaks_anthropic = True

    def keep_alive(self, text: str) -> bytes:
        return PING


class MessagesHandler(AnthropicHandler):
    """A conversation goes on, streamed or not."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(MessagesRequest)
        writer = MessageWriter(request)
        generation = await self.make(request.to_generation)
        await answer(self, [generation], writer, stream=request.stream)


class CountTokensHandler(AnthropicHandler):
    """How long the prompt would be."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(CountRequest)
        generations = self.services.generations
        count, _ = await generations.count_tokens(await self.make(request.to_generation))
        self.reply({"input_tokens": count})
