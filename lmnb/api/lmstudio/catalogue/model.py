"""POST /api/v1/models/delete, GET and DELETE /api/v1/models/{key}."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio import describe
from lmnb.api.query import Query, parse_query
from lmnb.service.deleting import delete_model

__all__ = ["DeleteHandler", "DeleteQuery", "DeleteRequest", "ModelHandler"]


class DeleteRequest(Body):
    model: Annotated[str, Field(min_length=1)]
    force: bool = False
    """Unload it first, if it is loaded."""


class DeleteQuery(Query):
    force: bool = False


class _Deleting(ApiHandler):
    async def remove(self, name: str, *, force: bool) -> None:
        removal = await delete_model(self.services.manager, name, force=force)
        self.reply(
            {
                "key": removal.id,
                "freed_bytes": removal.freed_bytes,
                "files": [str(file) for file in removal.files],
            }
        )


class DeleteHandler(_Deleting):
    """Delete a model's files, for names that do not fit an address."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(DeleteRequest)
        await self.remove(request.model, force=request.force)


class ModelHandler(_Deleting):
    """One model, by any name that it answers to; its files deleted."""

    @endpoint
    async def get(self, name: str) -> None:
        manager = self.services.manager
        loaded = manager.loaded()
        record = next((one.record for one in loaded if one.id == name), None)
        self.reply(describe.model(record or await manager.find(name), loaded))

    head = get

    @endpoint(needs="manage")
    async def delete(self, name: str) -> None:
        await self.remove(name, force=parse_query(self, DeleteQuery).force)
