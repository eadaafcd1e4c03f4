"""GET /v1/models and /v1/models/{id}: everything that can be run here, loaded or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from lmnb.api.anthropic.models import ModelsPage, model_json
from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.query import parse_query
from lmnb.errors import ModelNotFound
from lmnb.models.store.store import ModelRecord

__all__ = ["ModelHandler", "ModelsHandler"]


class ModelsHandler(ApiHandler):
    """All models, and the loaded instances that go by a name of their own."""

    @endpoint
    async def get(self) -> None:
        entries = await _entries(self)
        if self.speaks_anthropic:
            page = parse_query(self, ModelsPage)
            return self.reply(page.of([model_json(entry) for entry in entries]))
        self.reply({"object": "list", "data": entries})

    head = get


class ModelHandler(ApiHandler):
    """One model, by exactly the id that the list gives."""

    @endpoint
    async def get(self, name: str) -> None:
        for entry in await _entries(self):
            if entry["id"] == name.rstrip("/"):
                return self.reply(model_json(entry) if self.speaks_anthropic else entry)
        raise ModelNotFound(f"There is no model {name!r} here.", param="model")

    head = get


async def _entries(handler: ApiHandler) -> list[dict[str, Any]]:
    manager = handler.services.manager
    entries = await asyncio.to_thread(_described, await manager.list())
    loaded = {model.id: model for model in manager.loaded()}
    for id, model in loaded.items():
        entries[id] = {
            **_entry(id, model.record, int(model.loaded_at)),
            "context_length": model.engine.facts.context_length,
            "state": "loaded",
        }
    return list(entries.values())


def _described(records: Sequence[ModelRecord]) -> dict[str, dict[str, Any]]:
    """By id."""
    return {record.id: _entry(record.id, record, _created(record)) for record in records}


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
        "display_name": record.info.name or record.name.model,
    }
