"""A server of tools, made with the official library: `python tests/mcp_server.py stdio|PORT`."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("tests")


@server.tool()
def add(a: int, b: int) -> str:
    """The sum of two numbers."""
    return f"{a} + {b} = {a + b}"


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("as asked")


@server.tool()
async def sleep() -> str:
    """Longer than anybody waits."""
    await asyncio.sleep(60)
    return "awake"


@server.tool()
def greet(context: Context) -> str:
    """Who is asking."""
    headers = context.headers or {}
    return f"{headers.get('x-who', os.environ.get('WHO', 'nobody'))}"


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
