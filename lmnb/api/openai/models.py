"""GET /v1/models and /v1/models/{id}: everything that can be run here, loaded or not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from lmnb.api.base import ApiHandler, endpoint
from lmnb.errors import ModelNotFound
from lmnb.models.store.store import ModelRecord

__all__ = ["ModelHandler", "ModelsHandler"]


class ModelsHandler(ApiHandler):
    """All models, and the loaded instances that go by a name of their own."""

    @endpoint
    async def get(self) -> None:
        entries = await _entries(self)
        answer: dict[str, Any] = {"object": "list", "data": entries}
        if "anthropic-version" in self.request.headers:
            ends = {"first_id": entries[0]["id"], "last_id": entries[-1]["id"]} if entries else {}
            answer |= {"first_id": None, "last_id": None, "has_more": False, **ends}
        self.reply(answer)

    head = get


class ModelHandler(ApiHandler):
    """One model, by exactly the id that the list gives."""

    @endpoint
    async def get(self, name: str) -> None:
        for entry in await _entries(self):
            if entry["id"] == name.rstrip("/"):
                return self.reply(entry)
        raise ModelNotFound(f"There is no model {name!r} here.", param="model")

    head = get


async def _entries(handler: ApiHandler) -> list[dict[str, Any]]:
    manager = handler.services.manager
    loaded = {model.id: model for model in manager.loaded()}
    entries = {
        record.id: _entry(record.id, record, await asyncio.to_thread(_created, record))
        for record in await manager.list()
    }
    for id, model in loaded.items():
        entries[id] = {
            **_entry(id, model.record, int(model.loaded_at)),
            "context_length": model.engine.facts.context_length,
            "state": "loaded",
        }
    return list(entries.values())


def _created(record: ModelRecord) -> int:
    try:
        return int(record.path.stat().st_mtime)
    except OSError:  # gone since it was listed
        return 0


def _entry(id: str, record: ModelRecord, created: int) -> dict[str, Any]:
    return {
        "id": id,
        "object": "model",
        "created": created,
        "owned_by": record.name.publisher or "local",
        "context_length": record.info.context_length,
        "state": "not-loaded",
        # Anthropic's SDK looks for these.
        "type": "model",
        "display_name": record.info.name or record.name.model,
        "created_at": datetime.fromtimestamp(created, UTC).isoformat(),
    }
