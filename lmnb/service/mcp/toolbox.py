"""The tools of several MCP servers, connected for the length of one request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from lmnb._version import __version__
from lmnb.chat.tools import Tool
from lmnb.errors import InvalidRequest, LmnbError, McpConnectionFailed, MissingExtra
from lmnb.service.mcp.servers import McpServer
from lmnb.service.mcp.transport import open_http
from lmnb.service.outbound import Outbound

__all__ = ["Offer", "Result", "Toolbox", "Wanted"]

CONNECT_SECONDS = 30.0
CALL_SECONDS = 120.0
MOST_TOOLS = 128
MOST_OUTPUT = 1 << 18
"""Characters of a result. No context that runs here holds more."""
UNUSABLE = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server, and which of its tools. None: all. `approval` says which calls somebody has to
    approve first."""

    server: McpServer
    allowed_tools: tuple[str, ...] | None = None
    approval: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as the model knows it, and whose it is."""

    tool: Tool
    server: McpServer
    name: str
    """What its server calls it."""
    client: Any
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """`output`: every piece of content, as JSON. `text`: what a model can read of it."""

    output: str
    text: str
    failed: bool = False


class Toolbox:
    """Use as `async with`, and leave it in the task that entered it. `taken` are names of tools that
    are somebody else's; `field` is what the client named servers in."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        outbound: Outbound,
        *,
        taken: Iterable[str] = (),
        field: str = "integrations",
    ) -> None:
        self.offers: dict[str, Offer] = {}
        """By the name the model knows."""
        self._wanted = wanted
        self._outbound = outbound
        self._taken = frozenset(taken)
        self._field = field
        self._stack = AsyncExitStack()
        self._refusal: type[Exception] = LmnbError
        """What the library raises where a server says no."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(offer.tool for offer in self.offers.values())

    async def __aenter__(self) -> Toolbox:
        """Raises MissingExtra, McpConnectionFailed, PermissionDenied, InvalidRequest."""
        try:
            for wanted in self._wanted:
                await self._connect(wanted)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._stack.aclose()
        except Exception:
            pass  # its answers are here; how a server ends is its own affair

    async def call(self, name: str, arguments: dict[str, Any]) -> Result:
        """What the tool says; its failures too, for the model to read.

        Raises McpConnectionFailed when its server is gone.
        """
        offer = self.offers[name]
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await offer.client.call_tool(offer.name, arguments)
        except TimeoutError:
            return _failed(f"Error: the tool did not answer within {CALL_SECONDS:g} seconds.")
        except self._refusal as error:
            return _failed(f"Error: {error}")
        except Exception as error:
            raise self._failure(offer.server, error) from None
        blocks = [
            block.model_dump(mode="json", by_alias=True, exclude_none=True)
            for block in answer.content
        ]
        text = "\n".join(block.get("text") or f"[{block['type']}]" for block in blocks)
        if not blocks and answer.structured_content is not None:
            text = msgspec.json.encode(answer.structured_content).decode()
        output = msgspec.json.encode(blocks).decode()
        return Result(output[:MOST_OUTPUT], text[:MOST_OUTPUT], answer.is_error)

    async def _connect(self, wanted: Wanted) -> None:
        server = wanted.server
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                client = await self._open(server)
                listed = await _tools(client)
        except Exception as error:
            raise self._failure(server, error) from None
        if wanted.allowed_tools is not None:
            unknown = set(wanted.allowed_tools) - {tool.name for tool in listed}
            if unknown:
                names = ", ".join(f"'{name}'" for name in sorted(unknown))
                raise InvalidRequest(
                    f"The MCP server '{server.label}' has no tool {names}.", param=self._field
                )
            listed = [tool for tool in listed if tool.name in wanted.allowed_tools]
        for tool in listed:
            self._offer(wanted, tool, client)

    async def _open(self, server: McpServer) -> Any:
        try:
            from mcp import Client, Implementation, MCPError, StdioServerParameters
        except ImportError:
            raise MissingExtra(
                "MCP servers need the package 'mcp': pip install 'lmnb[mcp]'.", param=self._field
            ) from None
        self._refusal = MCPError
        transport: Any
        if server.url is not None:
            guard = self._outbound if server.ephemeral else None
            transport = open_http(server.url, server.headers, guard)
        else:
            transport = StdioServerParameters(
                command=server.command or "",
                args=list(server.args),
                env=server.env or None,
                cwd=server.cwd,
            )
        info = Implementation(name="lmnb", version=__version__)
        return await self._stack.enter_async_context(Client(transport, client_info=info))

    def _offer(self, wanted: Wanted, tool: Any, client: Any) -> None:
        server, name = wanted.server, UNUSABLE.sub("_", tool.name)[:64]
        if self._is_taken(name):
            name = UNUSABLE.sub("_", f"{server.label}_{name}")[:64]
        if self._is_taken(name) or len(self.offers) == MOST_TOOLS:
            raise InvalidRequest(
                f"The MCP servers offer more than {MOST_TOOLS} tools, or several named '{name}'. "
                "'allowed_tools' can choose among them.",
                param=self._field,
            )
        described = Tool(name, tool.description or "", tool.input_schema)
        approval = wanted.approval(tool.name)
        self.offers[name] = Offer(described, server, tool.name, client, approval)

    def _is_taken(self, name: str) -> bool:
        return name in self.offers or name in self._taken

    def _failure(self, server: McpServer, error: BaseException) -> LmnbError:
        """Task groups wrap what went wrong."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, LmnbError):
            return error
        reason = "it did not answer in time" if isinstance(error, TimeoutError) else str(error)
        return McpConnectionFailed(
            f"The MCP server '{server.label}' cannot be used: {reason or type(error).__name__}.",
            param=self._field,
        )


async def _tools(client: Any) -> list[Any]:
    """Every page of them."""
    tools: list[Any] = []
    cursor = None
    while len(tools) <= MOST_TOOLS:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


def _failed(text: str) -> Result:
    output = msgspec.json.encode([{"type": "text", "text": text}]).decode()
    return Result(output, text, failed=True)
