"""GET /api/v1/models/search and /api/v1/models/search/{owner}/{repo}."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio.catalogue import describe
from lmnb.api.query import Query, parse_query
from lmnb.models.hub.access import endpoint as hub
from lmnb.models.hub.hub import HubSearch
from lmnb.models.hub.searching import Order
from lmnb.models.wish import parse_wish
from lmnb.service.aside import aside

__all__ = ["RepositoryHandler", "SearchHandler", "SearchQuery"]

Size = Annotated[int, Field(ge=0)]


class SearchQuery(Query):
    """Sizes are bytes of a model's files."""

    q: Annotated[str, Field(max_length=200)] = ""
    owner: Annotated[str, Field(max_length=100)] = ""
    architecture: Annotated[str, Field(max_length=100)] = ""
    min_size: Size | None = None
    max_size: Size | None = None
    sort: Order = "downloads"
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    cursor: Annotated[str, Field(max_length=4000)] | None = None


class SearchHandler(ApiHandler):
    """GGUF repositories on the Hub, each with what of it fits this machine."""

    @endpoint
    async def get(self) -> None:
        asked = parse_query(self, SearchQuery)
        search = HubSearch(
            query=asked.q.strip(),
            owner=asked.owner.strip(),
            architecture=asked.architecture.strip(),
            min_size=asked.min_size,
            max_size=asked.max_size,
            sort=asked.sort,
            limit=asked.limit,
            cursor=asked.cursor,
        )
        entries, following = await aside(self.services.catalogue.search, search)
        found = [describe.entry(one) for one in entries]
        self.reply({"models": found, "next_cursor": following})

    head = get


class RepositoryHandler(ApiHandler):
    """One repository on the Hub."""

    @endpoint
    async def get(self, owner: str, name: str) -> None:
        wish = parse_wish(f"{owner}/{name}")
        one = await aside(self.services.catalogue.entry, wish.repo)
        readme = f"{hub()}/{one.repo.id}/resolve/{one.repo.revision}/README.md"
        has_one = any(file.path == "README.md" for file in one.repo.files)
        self.reply({**describe.entry(one), "readme_url": readme if has_one else None})

    head = get
