"""Models as Anthropic lists them: in pages, each with what its SDKs' types demand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from lmnb.api.query import Query
from lmnb.errors import NotFound

__all__ = ["ModelsPage", "model_json"]


class ModelsPage(Query):
    """The models after one, or before another."""

    limit: int = Field(20, ge=1, le=1000)
    after_id: str = ""
    before_id: str = ""

    def of(self, models: list[dict[str, Any]]) -> dict[str, Any]:
        """The page. Raises NotFound."""
        ids = [model["id"] for model in models]
        first, last = 0, len(ids)
        if self.after_id:
            first = _place(ids, self.after_id, "after_id") + 1
        if self.before_id:
            last = _place(ids, self.before_id, "before_id")
            page = models[max(first, last - self.limit) : last]
        else:
            page = models[first : first + self.limit]
        return {
            "data": page,
            "has_more": len(page) < last - first,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }


def model_json(entry: dict[str, Any]) -> dict[str, Any]:
    """A model of OpenAI's list, as one of Anthropic's."""
    return {
        "type": "model",
        "id": entry["id"],
        "display_name": entry["display_name"],
        "created_at": datetime.fromtimestamp(entry["created"], UTC).isoformat(),
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": entry["context_length"],
        "max_tokens": entry["context_length"],
    }


def _place(ids: list[str], id: str, param: str) -> int:
    if id not in ids:
        raise NotFound(f"There is no model {id!r} here.", param=param)
    return ids.index(id)
