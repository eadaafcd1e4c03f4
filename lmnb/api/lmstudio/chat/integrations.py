"""`integrations`: the servers whose tools the model may call in this chat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from lmnb.api.body import Body
from lmnb.errors import InvalidRequest
from lmnb.service.mcp.servers import McpServer, McpServers
from lmnb.service.mcp.toolbox import Wanted

__all__ = ["Integration", "provider_info", "wanted_servers"]

MCP = "mcp/"
Names = list[Annotated[str, Field(min_length=1)]]


class Plugin(Body):
    """LM Studio has plugins of its own; here they are the servers in `mcp.json`."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["plugin"] = "plugin"
    id: Annotated[str, Field(min_length=1)]
    allowed_tools: Names | None = None


class EphemeralMcp(Body):
    model_config = ConfigDict(extra="forbid")

    type: Literal["ephemeral_mcp"]
    server_label: Annotated[str, Field(min_length=1, max_length=128)]
    server_url: Annotated[str, Field(pattern="^https?://", max_length=2048)]
    allowed_tools: Names | None = None
    headers: dict[str, str] = {}


def _plugin(value: Any) -> Any:
    return {"type": "plugin", "id": value} if isinstance(value, str) else value


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return "ephemeral" if kind == "ephemeral_mcp" else "plugin"


Integration = Annotated[
    Annotated[Plugin, BeforeValidator(_plugin, json_schema_input_type=str | Plugin), Tag("plugin")]
    | Annotated[EphemeralMcp, Tag("ephemeral")],
    Discriminator(_kind),
]


async def wanted_servers(
    integrations: Sequence[Plugin | EphemeralMcp], servers: McpServers
) -> list[Wanted]:
    """Raises PermissionDenied, NotFound, InvalidRequest."""
    wanted: list[Wanted] = []
    for one in integrations:
        tools = None if one.allowed_tools is None else tuple(one.allowed_tools)
        if isinstance(one, EphemeralMcp):
            server = servers.ephemeral(one.server_label, one.server_url, one.headers)
        elif one.id.startswith(MCP):
            server = await asyncio.to_thread(servers.configured, one.id.removeprefix(MCP))
        else:
            raise InvalidRequest(
                f"There is no plugin '{one.id}': plugins here are the servers in mcp.json, "
                f"by the name '{MCP}<label>'.",
                param="integrations",
            )
        wanted.append(Wanted(server, tools))
    return wanted


def provider_info(server: McpServer) -> dict[str, str]:
    """Whose a tool is, in LM Studio's words."""
    if server.ephemeral:
        return {"type": "ephemeral_mcp", "server_label": server.label}
    return {"type": "plugin", "plugin_id": MCP + server.label}
