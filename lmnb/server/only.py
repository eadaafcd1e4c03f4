"""`lmnb serve` has one listener, and lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lmnb.errors import InvalidRequest
from lmnb.server.gate import Gate
from lmnb.service.listener import ListenerState

__all__ = ["OnlyListener"]

LAST_WORDS_SECONDS = 0.5
"""For the answer to the request that asked to stop."""


@dataclass(frozen=True, kw_only=True)
class OnlyListener:
    """A `ListenerControl`. It can change who may ask, but not move."""

    host: str
    port: int
    base_url: str
    gate: Gate
    end: Callable[[], None]
    """Ends the server."""

    def state(self) -> ListenerState:
        return ListenerState(
            running=True,
            host=self.host,
            port=self.port,
            base_url=self.base_url,
            cors=self.gate.cors,
            key_required=self.gate.asks_everybody and not self.gate.open_to_all,
        )

    async def start(self, *, port: int, cors: bool, require_key: bool) -> ListenerState:
        if port not in (self.port, 0):
            raise InvalidRequest(
                f"This is `lmnb serve` on port {self.port}. For another port, start it anew with "
                f"`lmnb serve --port {port}`.",
                param="port",
            )
        self.gate.cors, self.gate.key_required = cors, require_key
        return self.state()

    async def stop(self) -> ListenerState:
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.end)
        return ListenerState()

    async def close(self) -> None:
        """Whoever made the listener closes it."""
