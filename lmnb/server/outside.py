"""What requests may make this server reach."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from lmnb.server.environment import choice, switch
from lmnb.service.mcp.servers import McpMode

__all__ = ["Outside"]


@dataclass(frozen=True, slots=True)
class Outside:
    """MCP servers, hosts (none named: every public one), and pictures by their addresses."""

    mcp: McpMode = "off"
    allowed_hosts: tuple[str, ...] = ()
    remote_images: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Outside:
        """`LMNB_MCP`, `LMNB_ALLOWED_HOSTS` with commas, `LMNB_REMOTE_IMAGES`. Raises
        InvalidRequest."""
        hosts = environ.get("LMNB_ALLOWED_HOSTS", "").split(",")
        return cls(
            choice(environ, "LMNB_MCP", get_args(McpMode), default="off"),
            tuple(host.strip() for host in hosts if host.strip()),
            switch(environ, "LMNB_REMOTE_IMAGES", default=False),
        )
