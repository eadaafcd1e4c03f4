"""POST /api/v1/models/import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio import describe
from lmnb.errors import InvalidRequest
from lmnb.models.store.record import ModelRecord

__all__ = ["ImportHandler", "ImportRequest"]


class ImportRequest(Body):
    path: Annotated[str, Field(min_length=1)]
    mode: Literal["copy", "hard_link", "symlink", "move"] = "symlink"
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """`publisher/model`: the folder to put it in."""
    dry_run: bool = False
    """Only say which files would be put where."""


class ImportHandler(ApiHandler):
    """Bring a GGUF file of this machine among the models."""

    @endpoint(needs="manage")
    async def post(self) -> None:
        request = await self.read(ImportRequest)
        path = Path(request.path).expanduser() if "\0" not in request.path else Path()
        if not path.is_absolute():
            raise InvalidRequest("'path' must be an absolute path on the server.", param="path")
        mode: Any = request.mode.replace("_", "")
        store = self.services.store
        do: Callable[..., Any] = store.plan_import if request.dry_run else store.import_file
        try:
            done = await asyncio.to_thread(do, path, mode=mode, name=request.name)
        except OSError as error:
            raise InvalidRequest(f"{path}: {error.strerror or error}", param="path") from None
        if request.dry_run:
            planned = [{"source": str(source), "target": str(target)} for source, target in done]
            return self.reply({"dry_run": True, "files": planned})
        record: ModelRecord = done
        self.services.notices.publish("models.changed", {"key": record.id})
        self.reply(describe.model(record, self.services.manager.loaded()))
