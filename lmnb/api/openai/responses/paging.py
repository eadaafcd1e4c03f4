"""Lists of items, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmnb.api.base import ApiHandler
from lmnb.errors import InvalidRequest

__all__ = ["item_list", "page"]

MOST, DEFAULT = 100, 20
Item = dict[str, Any]


def page(handler: ApiHandler, items: Sequence[Item]) -> dict[str, Any]:
    """What `order`, `after` and `limit` ask for. The newest first, as OpenAI does."""
    order = handler.get_query_argument("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest("Invalid 'order': should be 'asc' or 'desc'.", param="order")
    limit = handler.get_query_argument("limit", str(DEFAULT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:5]) <= MOST):
        raise InvalidRequest(f"Invalid 'limit': should be 1 to {MOST}.", param="limit")
    ordered = list(items) if order == "asc" else list(reversed(items))
    if after := handler.get_query_argument("after", None):
        places = [number for number, item in enumerate(ordered) if item["id"] == after]
        if not places:
            raise InvalidRequest(f"Invalid 'after': no item has the id '{after}'.", param="after")
        ordered = ordered[places[0] + 1 :]
    return item_list(ordered[: int(limit)], has_more=len(ordered) > int(limit))


def item_list(items: Sequence[Item], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(items),
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }
