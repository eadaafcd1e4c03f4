"""A response whose model may call tools of MCP servers: list them, call what was approved, converse."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

from lmnb.api.openai.responses.context import Context
from lmnb.api.openai.responses.ids import new_id
from lmnb.api.openai.responses.mcp_items import approved_requests
from lmnb.api.openai.responses.mcp_writer import McpWriter
from lmnb.api.openai.responses.messages import to_messages
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.writer import Event
from lmnb.api.services import Services
from lmnb.chat.message import ToolCall
from lmnb.errors import InvalidRequest, LmnbError
from lmnb.service.events import Progress
from lmnb.service.mcp.toolbox import Toolbox
from lmnb.service.toolloop import converse, run_call

__all__ = ["Agent"]


class Agent:
    """Raises InvalidRequest for what can be known to be wrong before a server is asked."""

    def __init__(self, services: Services, request: ResponseRequest, context: Context) -> None:
        self._services = services
        self._request = request
        self._context = context
        self._approved = approved_requests(context.history, context.input)
        labels = {server.server_label for server in request.servers}
        for one in self._approved:
            if one["server_label"] not in labels:
                raise InvalidRequest(
                    f"A call of the MCP server '{one['server_label']}' was approved, which is not "
                    "among 'tools'.",
                    param="tools",
                )
        self._wanted = [server.wanted(services.mcp) for server in request.servers]

    async def events(self, writer: McpWriter) -> AsyncGenerator[Event | Progress, None]:
        """All between the response's first events and its last one. Iterate it and leave it in one
        task, with `aclosing`."""
        functions = [tool.name for tool in self._request.offered()]
        outbound = self._services.mcp.outbound
        toolbox = Toolbox(self._wanted, outbound, taken=functions, field="tools")
        async with AsyncExitStack() as stack:
            for said in writer.listing(self._untold()):
                yield said
            try:
                await stack.enter_async_context(toolbox)
            except LmnbError as error:
                for said in writer.unlisted(error):
                    yield said
                raise
            for said in writer.listed(toolbox.offers):
                yield said
            for request in self._approved:
                call = _call(request, toolbox)
                for said in writer.approved(request, call):
                    yield said
                for said in writer.write(await run_call(toolbox, call)):
                    yield said
            items = [*self._request.instruction_items(), *self._context.items]
            messages = to_messages([*items, *writer.resource["output"]])
            generation = self._request.generation(messages)
            loop = converse(
                self._services.generations, generation, toolbox, self._request.max_tool_calls
            )
            async with aclosing(loop) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        yield event
                    for said in writer.write(event):
                        yield said
        writer.end()

    def _untold(self) -> list[str]:
        """Servers whose list of tools is not in the conversation."""
        lists = (one for one in self._context.items if one["type"] == "mcp_list_tools")
        told = {one["server_label"] for one in lists if one["error"] is None}
        labels = (server.server_label for server in self._request.servers)
        return [label for label in labels if label not in told]


def _call(request: dict[str, Any], toolbox: Toolbox) -> ToolCall:
    """By the name that the model would have used."""
    named = (
        name
        for name, offer in toolbox.offers.items()
        if (offer.server.label, offer.name) == (request["server_label"], request["name"])
    )
    return ToolCall(new_id("call"), next(named, request["name"]), request["arguments"])
