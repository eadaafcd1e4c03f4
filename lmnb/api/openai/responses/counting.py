"""POST /v1/responses/input_tokens: how long the prompt would be."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.responses.context import find_context
from lmnb.api.openai.responses.messages import to_messages
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import InvalidRequest

__all__ = ["InputTokensHandler"]


class InputTokensHandler(ApiHandler):
    """Counts exactly what would be computed, tools and template included."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ResponseRequest)
        if request.servers:
            raise InvalidRequest(
                "The tools of MCP servers are not known before they are asked.", param="tools"
            )
        context = await find_context(request, "resp_", self.services.responses)
        messages = to_messages([*request.instruction_items(), *context.items])
        count, _ = await self.services.generations.count_tokens(request.generation(messages))
        self.reply({"object": "response.input_tokens", "input_tokens": count})
