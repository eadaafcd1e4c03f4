"""GET /api/v1/models."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio import describe

__all__ = ["ModelsHandler"]


class ModelsHandler(ApiHandler):
    """Everything on disk, with what is loaded of it."""

    @endpoint
    async def get(self) -> None:
        manager = self.services.manager
        records, loaded = await manager.list(), manager.loaded()
        self.reply({"models": [describe.model(record, loaded) for record in records]})

    head = get
