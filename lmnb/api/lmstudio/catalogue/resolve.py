"""POST /api/v1/models/resolve."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio.catalogue import describe
from lmnb.service.aside import aside

__all__ = ["ResolveHandler", "ResolveRequest"]


class ResolveRequest(Body):
    model: Annotated[str, Field(min_length=1, max_length=500)]
    quantization: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    revision: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class ResolveHandler(ApiHandler):
    """What a name means on the Hub: which files would be fetched, and why these."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ResolveRequest)
        found = await aside(
            self.services.catalogue.resolve,
            request.model,
            quantization=request.quantization,
            revision=request.revision,
        )
        self.reply(describe.resolution(found))
