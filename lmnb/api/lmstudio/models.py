"""GET /api/v1/models."""

from __future__ import annotations

import asyncio
from typing import Any

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio import describe

__all__ = ["ModelsHandler"]


class ModelsHandler(ApiHandler):
    """The models on disk, with what is loaded of them; and the LoRA adapters for them."""

    @endpoint
    async def get(self) -> None:
        manager = self.services.manager
        here, loaded = await manager.look(), manager.loaded()

        def described() -> dict[str, Any]:
            return {
                "models": [describe.model(record, loaded) for record in here.records],
                "adapters": [describe.adapter(part) for part in here.adapters],
            }

        self.reply(await asyncio.to_thread(described))

    head = get
