"""Names of models on the Hub that this process has come across, for Tab."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MOST = 500
_known: dict[str, None] = {}


def remember(models: Iterable[Mapping[str, Any]]) -> None:
    """Of search results or candidates: those that were seen last are kept."""
    for model in models:
        _known.pop(model["id"], None)
        _known[model["id"]] = None
    for name in list(_known)[:-MOST]:
        del _known[name]


def known() -> list[str]:
    return list(_known)
