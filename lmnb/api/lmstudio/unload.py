"""POST /api/v1/models/unload."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body

__all__ = ["UnloadHandler", "UnloadRequest"]


class UnloadRequest(Body):
    instance_id: Annotated[str, Field(min_length=1)]


class UnloadHandler(ApiHandler):
    """Give a model's memory back."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(UnloadRequest)
        await self.services.manager.unload(request.instance_id)
        self.reply({"instance_id": request.instance_id})
