"""Lists of items, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from lmnb.api.base import ApiHandler
from lmnb.api.query import Query, parse_query
from lmnb.errors import InvalidRequest

__all__ = ["PageQuery", "item_list", "page"]

Item = dict[str, Any]


class PageQuery(Query):
    order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: str = ""


def page(handler: ApiHandler, items: Sequence[Item]) -> dict[str, Any]:
    """What `order`, `after` and `limit` ask for. The newest first, as OpenAI does."""
    asked = parse_query(handler, PageQuery)
    ordered = list(items) if asked.order == "asc" else list(reversed(items))
    if asked.after:
        places = [number for number, item in enumerate(ordered) if item["id"] == asked.after]
        if not places:
            raise InvalidRequest(
                f"Invalid 'after': no item has the id '{asked.after}'.",
                param="after",
                code="invalid_value",
            )
        ordered = ordered[places[0] + 1 :]
    return item_list(ordered[: asked.limit], has_more=len(ordered) > asked.limit)


def item_list(items: Sequence[Item], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(items),
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }
