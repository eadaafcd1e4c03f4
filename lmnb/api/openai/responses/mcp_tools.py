"""Tools of MCP servers that a request brings along, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from lmnb.api.body import Body
from lmnb.api.refusing import unsupported
from lmnb.api.tools import DirectTool
from lmnb.errors import InvalidRequest, PermissionDenied
from lmnb.service.mcp.servers import McpServers
from lmnb.service.mcp.toolbox import Wanted

__all__ = ["McpTool"]


class Filter(Body):
    """Some of a server's tools."""

    tool_names: list[str] = []
    read_only: bool | None = None

    @model_validator(mode="after")
    def _is_of_names(self) -> Filter:
        if self.read_only is not None:
            raise unsupported("a choice of tools by what they say of themselves", "read_only")
        return self


class Approvals(Body):
    """Which calls somebody has to approve. Where one of the two is missing, it is all the rest; where
    both leave a tool out, it has to be approved."""

    always: Filter | None = None
    never: Filter | None = None

    def needed(self, name: str) -> bool:
        if self.always is not None and name in self.always.tool_names:
            return True
        if self.never is not None:
            return name not in self.never.tool_names
        return self.always is None


def _names(value: Any) -> Any:
    return {"tool_names": value} if isinstance(value, list) else value


class McpTool(DirectTool):
    """Its calls have to be approved unless it says otherwise. What opens the server is never echoed."""

    refused: ClassVar[Mapping[str, str]] = {
        **DirectTool.refused,
        "connector_id": "a connector of OpenAI's ('server_url' says where a server is)",
        "tunnel_id": "a tunnel of OpenAI's ('server_url' says where a server is)",
    }

    type: Literal["mcp"]
    server_label: Annotated[str, Field(min_length=1, max_length=128)]
    server_url: Annotated[str, Field(pattern="^https?://", max_length=2048)]
    server_description: str | None = None
    allowed_tools: Annotated[
        Filter | None, BeforeValidator(_names, json_schema_input_type=list[str] | Filter)
    ] = None
    require_approval: Literal["always", "never"] | Approvals = "always"
    headers: dict[str, str] = {}
    authorization: str | None = None

    def to_json(self) -> dict[str, Any]:
        fields = {"type", "server_label", "server_url", "server_description", "require_approval"}
        allowed = None if self.allowed_tools is None else self.allowed_tools.tool_names
        shown = self.model_dump(include=fields, exclude_none=True)
        return {**shown, "allowed_tools": allowed, "headers": None}

    def approval(self, name: str) -> bool:
        """Whether a call of that tool has to be approved."""
        if isinstance(self.require_approval, Approvals):
            return self.require_approval.needed(name)
        return self.require_approval == "always"

    def wanted(self, servers: McpServers) -> Wanted:
        """Raises InvalidRequest where servers of a request's own are switched off."""
        key = {"Authorization": f"Bearer {self.authorization}"} if self.authorization else {}
        headers = {**self.headers, **key}
        try:
            server = servers.ephemeral(self.server_label, self.server_url, headers)
        except PermissionDenied as error:
            raise InvalidRequest(error.message, param="tools", code=error.code) from None
        allowed = None if self.allowed_tools is None else tuple(self.allowed_tools.tool_names)
        return Wanted(server, allowed, self.approval)
