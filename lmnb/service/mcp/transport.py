"""Streamable HTTP to an MCP server, to no address but one that was looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from lmnb.service.outbound import Outbound

__all__ = ["open_http"]

SECONDS = 30.0
READ_SECONDS = 300.0
"""A server may hold a stream open while a tool works."""


@asynccontextmanager
async def open_http(
    url: str, headers: Mapping[str, str], outbound: Outbound | None
) -> AsyncIterator[Any]:
    """What `mcp.Client` talks over. With `outbound` every connection goes where that allows; it
    follows no proxy, which would look names up by itself. The library follows redirects within one
    origin only."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    class Guarded(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if outbound is not None:
                request = await outbound.pinned(request)
            return await super().handle_async_request(request)

    timeout = httpx2.Timeout(SECONDS, read=READ_SECONDS)
    transport = Guarded() if outbound is not None else None
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=timeout, transport=transport) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams
