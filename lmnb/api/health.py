"""GET /health: is anybody there. The one route that asks for no key."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint

__all__ = ["HealthHandler"]


class HealthHandler(ApiHandler):
    """Says no more than that the server runs."""

    public = True

    @endpoint
    async def get(self) -> None:
        self.reply({"status": "ok"})

    head = get
