"""GET /lmstudio-greeting: how LM Studio's own clients recognise a server."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint

__all__ = ["GreetingHandler"]


class GreetingHandler(ApiHandler):
    """Somebody is there who speaks LM Studio's API."""

    public = True

    @endpoint
    async def get(self) -> None:
        self.reply({"lmstudio": True})

    head = get
