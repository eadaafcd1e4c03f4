"""The Hub's list of GGUF repositories, in pages of the size that was asked for."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from lmnb.errors import HubError, InvalidRequest
from lmnb.models.hub.access import get
from lmnb.models.hub.json import read_repo
from lmnb.models.hub.repository import HubRepo
from lmnb.models.hub.variants import contents

__all__ = ["HubSearch", "Order", "Page", "read_page"]

Order = Literal["downloads", "likes", "trending", "updated"]
_SORT = {"trending": "trendingScore", "updated": "lastModified"}
_EXPAND = "downloads likes gated private lastModified sha siblings tags gguf trendingScore".split()
MOST_PAGES = 10
"""Of the Hub's, for one of ours: where hardly anything passes the filters that the Hub lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSearch:
    """`architecture` as the header says it (`gemma3`). Sizes are bytes of a model's files: some
    quantisation lies between them. `cursor` is a `Page.following`."""

    query: str = ""
    owner: str = ""
    architecture: str = ""
    min_size: int | None = None
    max_size: int | None = None
    sort: Order = "downloads"
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`following`: where the next page begins; None: there is none."""

    repos: tuple[HubRepo, ...]
    following: str | None


Details = Callable[[Sequence[HubRepo]], Sequence[HubRepo]]


def read_page(search: HubSearch, details: Details) -> Page:
    """`details` adds what the list does not have. Raises InvalidRequest for a cursor that is none
    of ours, and what `access.get` raises."""
    query, skip = _begin(search)
    about = f"repositories with {search.query!r}" if search.query else "repositories"
    found: list[HubRepo] = []
    for _ in range(MOST_PAGES):
        rows, following = get("/api/models", query, about=about)
        if not isinstance(rows, list):
            raise HubError("The Hub answered a search with something that is no list.")
        here = {at: repo for at, row in enumerate(rows) if at >= skip and (repo := _read(row))}
        here = {at: repo for at, repo in here.items() if _fits(repo, search)}
        for at, repo in zip(here, details(list(here.values())), strict=True):
            if len(found) == search.limit:
                return Page(tuple(found), _cursor(query, at))
            if _has_size(repo, search):
                found.append(repo)
        query, skip = following or "", 0
        if not following or len(found) == search.limit:
            break
    return Page(tuple(found), _cursor(query, 0) if query else None)


def _begin(search: HubSearch) -> tuple[str, int]:
    """The Hub's query, and how many of its answers were shown already."""
    if search.cursor is None:
        asked = {
            "search": search.query,
            "author": search.owner,
            "filter": "gguf",
            "sort": _SORT.get(search.sort, search.sort),
            "limit": search.limit,
            "expand": _EXPAND,
        }
        return urlencode({name: value for name, value in asked.items() if value}, doseq=True), 0
    try:
        skip, _, query = urlsafe_b64decode(search.cursor.encode()).decode().partition(" ")
        return query, int(skip)
    except ValueError:
        raise InvalidRequest("'cursor' is not one that a search gave.", param="cursor") from None


def _cursor(query: str, skip: int) -> str:
    return urlsafe_b64encode(f"{skip} {query}".encode()).decode()


def _read(row: Any) -> HubRepo | None:
    """One that is described wrongly is not worth the others."""
    try:
        return read_repo(row)
    except HubError:
        return None


def _fits(repo: HubRepo, search: HubSearch) -> bool:
    wanted = search.architecture.lower()
    return not wanted or wanted in (repo.facts.architecture.lower(), *map(str.lower, repo.tags))


def _has_size(repo: HubRepo, search: HubSearch) -> bool:
    least, most = search.min_size, search.max_size
    if least is None and most is None:
        return True
    sizes = (variant.size_bytes for variant in contents(repo.files).variants)
    return any((least or 0) <= size and (most is None or size <= most) for size in sizes if size)
