"""POST /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

from typing import Any

from lmnb.api.anthropic.request import CountRequest, MessagesRequest
from lmnb.api.anthropic.writer import PING, MessageWriter
from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer
from lmnb.errors import LmnbError

__all__ = ["CountTokensHandler", "MessagesHandler"]

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class AnthropicHandler(ApiHandler):
    """Errors, pings and the request's id as Anthropic's SDKs look for them."""

    error_event = "error"
    ping = PING

    def keep_alive(self, text: str) -> bytes:
        return PING

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("request-id", self.request_id)

    def error_body(self, error: LmnbError) -> dict[str, Any]:
        kind = TYPES.get(error.status)
        if kind is None:
            kind = "api_error" if error.status >= 500 else "invalid_request_error"
        return {
            "type": "error",
            "error": {"type": kind, "message": error.message},
            "request_id": self.request_id,
        }


class MessagesHandler(AnthropicHandler):
    """A conversation goes on, streamed or not."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(MessagesRequest)
        writer = MessageWriter(request)
        await answer(self, [request.to_generation()], writer, stream=request.stream)


class CountTokensHandler(AnthropicHandler):
    """How long the prompt would be."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(CountRequest)
        generations = self.services.generations
        self.reply({"input_tokens": await generations.count_tokens(request.to_generation())})
