"""GET /api/v0/models and /api/v0/models/{model}."""

from __future__ import annotations

from typing import Any

from lmnb.api.base import ApiHandler, endpoint
from lmnb.errors import ModelNotFound
from lmnb.models.store.store import ModelRecord

__all__ = ["NativeModelHandler", "NativeModelsHandler"]


class NativeModelsHandler(ApiHandler):
    """All models, and the loaded instances that go by a name of their own."""

    @endpoint
    async def get(self) -> None:
        self.reply({"object": "list", "data": [*(await _entries(self)).values()]})

    head = get


class NativeModelHandler(ApiHandler):
    """One of them, by exactly the id that the list gives."""

    @endpoint
    async def get(self, name: str) -> None:
        entry = (await _entries(self)).get(name)
        if entry is None:
            raise ModelNotFound(f"There is no model {name!r} here.", param="model")
        self.reply(entry)

    head = get


async def _entries(handler: ApiHandler) -> dict[str, dict[str, Any]]:
    manager = handler.services.manager
    entries = {record.id: _entry(record.id, record) for record in await manager.list()}
    for model in manager.loaded():
        context = {"loaded_context_length": model.engine.facts.context_length}
        entries[model.id] = {**_entry(model.id, model.record), "state": "loaded", **context}
    return entries


def _type(record: ModelRecord) -> str:
    if record.info.kind != "llm":
        return "embeddings"
    return "vlm" if record.vision else "llm"


def _entry(id: str, record: ModelRecord) -> dict[str, Any]:
    info = record.info
    entry = {
        "id": id,
        "object": "model",
        "type": _type(record),
        "publisher": record.name.publisher or "local",
        "arch": info.architecture,
        "compatibility_type": "gguf",
        "quantization": info.quantization,
        "state": "not-loaded",
        "max_context_length": info.context_length,
    }
    return {**entry, "capabilities": ["tool_use"]} if info.tool_use else entry
