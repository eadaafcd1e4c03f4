"""POST /api/v1/models/unload."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body, Number
from lmnb.service.unloading import UNLOAD_WAIT

__all__ = ["UnloadHandler", "UnloadRequest"]


class UnloadRequest(Body):
    """`cancel_running`: what the instance is answering fails. Else it may finish, within `wait`
    seconds, and stays if that is not enough."""

    instance_id: Annotated[str, Field(min_length=1)]
    cancel_running: bool = False
    wait: Annotated[Number, Field(ge=0, le=3600)] = UNLOAD_WAIT


class UnloadHandler(ApiHandler):
    """Give a model's memory back."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(UnloadRequest)
        await self.services.manager.unload(
            request.instance_id, cancel_running=request.cancel_running, wait=request.wait
        )
        self.reply({"instance_id": request.instance_id})
