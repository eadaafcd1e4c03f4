"""Servers of tools: those in `mcp.json`, and those that a request brings along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir

from lmnb.errors import InvalidRequest, NotFound, PermissionDenied
from lmnb.service.outbound import Outbound

__all__ = ["McpMode", "McpServer", "McpServers"]

McpMode = Literal["off", "configured", "ephemeral"]
"""`configured`: the servers in `mcp.json`. `ephemeral`: any that a request names, too."""


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Either a `command` to run or the `url` of one that runs. Other keys of `mcp.json` are for
    other programs."""

    label: str = ""
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    ephemeral: bool = False


class _File(msgspec.Struct, rename={"servers": "mcpServers"}):
    servers: dict[str, McpServer] = {}


class McpServers:
    """What may be called. `files`: the first that exists counts, and is read each time."""

    def __init__(
        self,
        mode: McpMode = "off",
        outbound: Outbound | None = None,
        files: Sequence[Path] | None = None,
    ) -> None:
        self.mode = mode
        self.outbound = outbound or Outbound()
        self._files = files

    def configured(self, label: str) -> McpServer:
        """Blocks for a moment. Raises PermissionDenied, NotFound, InvalidRequest."""
        if self.mode == "off":
            raise _switched_off("configured")
        files = self._files or default_files()
        file = next((file for file in files if file.is_file()), None)
        known = _read(file) if file else {}
        if label not in known:
            places = file or " or ".join(map(str, files))
            raise NotFound(
                f"There is no MCP server '{label}' in {places}.",
                param="integrations",
                code="mcp_server_not_found",
            )
        return msgspec.structs.replace(known[label], label=label, ephemeral=False)

    def ephemeral(self, label: str, url: str, headers: Mapping[str, str]) -> McpServer:
        """Raises PermissionDenied."""
        if self.mode != "ephemeral":
            raise _switched_off("ephemeral")
        return McpServer(label=label, url=url, headers=dict(headers), ephemeral=True)


def default_files() -> list[Path]:
    """In Jupyter's configuration, else beside its data."""
    folders = (jupyter_config_dir(), jupyter_data_dir())
    return [Path(folder) / "lmnb" / "mcp.json" for folder in folders]


def _read(file: Path) -> dict[str, McpServer]:
    try:
        servers = msgspec.json.decode(file.read_bytes(), type=_File).servers
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidRequest(f"{file} cannot be used: {error}", param="integrations") from None
    for label, server in servers.items():
        if not (server.command or server.url):
            raise InvalidRequest(
                f"{file}: '{label}' has neither a 'command' nor a 'url'.", param="integrations"
            )
    return servers


def _switched_off(wanted: McpMode) -> PermissionDenied:
    which = "MCP servers" if wanted == "configured" else "MCP servers that a request brings along"
    return PermissionDenied(
        f"{which} are switched off here. Who runs this server can switch them on: "
        f"`--LMNBApp.mcp={wanted}`, `lmnb serve --mcp {wanted}` or LMNB_MCP={wanted}.",
        param="integrations",
        code="mcp_not_allowed",
    )
