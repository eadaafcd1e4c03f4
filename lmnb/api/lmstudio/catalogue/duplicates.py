"""GET /api/v1/models/duplicates."""

from __future__ import annotations

import asyncio

from lmnb.api.base import ApiHandler, endpoint

__all__ = ["DuplicatesHandler"]


class DuplicatesHandler(ApiHandler):
    """Files of models whose content is on the disk more than once. The first time this reads all
    files of equal size."""

    @endpoint
    async def get(self) -> None:
        found = await asyncio.to_thread(self.services.store.duplicates)
        rows = [
            {
                "sha256": one.sha256,
                "size_bytes": one.size_bytes,
                "wasted_bytes": one.wasted_bytes,
                "copies": [{"model": copy.model, "path": str(copy.path)} for copy in one.copies],
            }
            for one in found
        ]
        wasted = sum(one.wasted_bytes for one in found)
        self.reply({"duplicates": rows, "wasted_bytes": wasted})

    head = get
