"""The Hub's JSON: search, descriptions, trees, references, who one is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.hub.base import HubError, HubHandler
from tests.hub.repository import Repository

__all__ = ["API_ROUTES"]

ORDERS = {
    "downloads": lambda model: model["downloads"],
    "likes": lambda model: model["likes"],
    "trendingScore": lambda model: model["trendingScore"],
    "lastModified": lambda model: model["lastModified"],
    "createdAt": lambda model: model["createdAt"],
}
BRIEF = (
    "_id id modelId likes downloads trendingScore private tags pipeline_tag library_name createdAt"
).split()
FULL = (*BRIEF, "author", "sha", "lastModified", "gated", "disabled", "siblings")
ALWAYS = ("_id", "id", "modelId")
PAGE = 1000
"""The most that one page holds, whatever is asked for."""


class SearchHandler(HubHandler):
    """GET /api/models"""

    def get(self) -> None:
        models = [one.describe() for one in self._visible()]
        order = ORDERS.get(self.get_query_argument("sort", "trendingScore"))
        if order is None:
            raise HubError(400, None, '"sort" must be one of ' + ", ".join(ORDERS))
        found = sorted((model for model in models if model), key=order, reverse=True)
        limit = min(int(self.get_query_argument("limit", str(PAGE))), self.hub.page or PAGE)
        start = int(self.get_query_argument("cursor", "0"))
        if start + limit < len(found):
            query = [
                (name, value)
                for name in self.request.query_arguments
                for value in self.get_query_arguments(name)
                if name != "cursor"
            ]
            where = f"{self.hub.url}/api/models?{urlencode([*query, ('cursor', start + limit)])}"
            self.set_header("Link", f'<{where}>; rel="next"')
        self.answer([self._columns(model) for model in found[start : start + limit]])

    def _visible(self) -> list[Repository]:
        user = self.user()
        return [
            one
            for one in self.hub.repositories.values()
            if (not one.private or user in one.readers) and self._fits(one)
        ]

    def _fits(self, one: Repository) -> bool:
        asked = self.get_query_argument
        words = (asked("search", "") or "").lower().split()
        gated = asked("gated", None)
        return (
            all(word in one.id.lower() for word in words)
            and asked("author", one.author).lower() == one.author.lower()
            and set(self.get_query_arguments("filter")) <= {*one.all_tags(), one.pipeline_tag}
            and asked("pipeline_tag", one.pipeline_tag) == one.pipeline_tag
            and (gated is None or (gated.lower() == "true") == bool(one.gated))
        )

    def _columns(self, model: dict[str, Any]) -> dict[str, Any]:
        expand = self.get_query_arguments("expand")
        if expand:
            names: Any = {*ALWAYS, *expand}
        else:
            names = FULL if _is_on(self.get_query_argument("full", "")) else BRIEF
            names = [
                *names,
                *(
                    name
                    for name in ("cardData", "config")
                    if _is_on(self.get_query_argument(name, ""))
                ),
            ]
        return {name: value for name, value in model.items() if name in names}


class ModelHandler(HubHandler):
    """GET /api/models/O/R[/revision/REV]"""

    def get(self, id: str, revision: str | None = None) -> None:
        repository = self.repository(id)
        sha, _ = self.commit(repository, revision or "main")
        blobs = _is_on(self.get_query_argument("blobs", ""))
        model: Any = repository.describe(sha, blobs=blobs)
        if expand := self.get_query_arguments("expand"):
            model = {name: value for name, value in model.items() if name in (*ALWAYS, *expand)}
        self.answer({name: value for name, value in model.items() if value is not None})


class TreeHandler(HubHandler):
    """GET /api/models/O/R/tree/REV[/folder]"""

    def get(self, id: str, revision: str, folder: str | None = None) -> None:
        repository = self.repository(id)
        _, files = self.commit(repository, revision)
        prefix = f"{folder.strip('/')}/" if folder else ""
        below = [file for path, file in files.items() if path.startswith(prefix)]
        if prefix and not below:
            raise HubError(404, "EntryNotFound", f"{folder} does not exist")
        recursive = _is_on(self.get_query_argument("recursive", ""))
        rows: dict[str, dict[str, Any]] = {}
        for file in below:
            first, slash, _ = file.path.removeprefix(prefix).partition("/")
            if slash:
                row = {"type": "directory", "path": prefix + first, "size": 0, "oid": "0" * 40}
                rows.setdefault(prefix + first, row)
            if recursive or not slash:
                rows[file.path] = file.entry()
        start, size = int(self.get_query_argument("cursor", "0")), self.hub.page or PAGE
        if start + size < len(rows):
            query = urlencode({"recursive": recursive, "cursor": start + size})
            where = f"{self.hub.url}{self.request.path}?{query}"
            self.set_header("Link", f'<{where}>; rel="next"')
        self.answer(list(rows.values())[start : start + size])


class PathsInfoHandler(HubHandler):
    """POST /api/models/O/R/paths-info/REV"""

    def post(self, id: str, revision: str) -> None:
        _, files = self.commit(self.repository(id), revision)
        paths = self.get_body_arguments("paths")
        self.answer([files[path].entry() for path in paths if path in files])


class RefsHandler(HubHandler):
    """GET /api/models/O/R/refs"""

    def get(self, id: str) -> None:
        repository = self.repository(id)
        self.answer(
            {
                "branches": _refs("heads", repository.branches),
                "tags": _refs("tags", repository.version_tags),
                "converts": [],
            }
        )


def _refs(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": sha}
        for name, sha in names.items()
    ]


class WhoAmIHandler(HubHandler):
    """GET /api/whoami-v2"""

    def get(self) -> None:
        user = self.user()
        if user is None:
            raise HubError(401, None, "Invalid username or password.")
        token = {"type": "access_token", "accessToken": {"displayName": "test", "role": "read"}}
        self.answer({"type": "user", "id": "0" * 24, "name": user, "orgs": [], "auth": token})


class NothingHandler(HubHandler):
    """Every other path."""

    def prepare(self) -> None:
        super().prepare()
        raise HubError(404, None, "Sorry, we can't find the page you are looking for.")


def _is_on(text: str | None) -> bool:
    return (text or "").lower() in ("true", "1")


ID = r"([^/]+/[^/]+)"
API_ROUTES = [
    (r"/api/models", SearchHandler),
    (r"/api/whoami-v2", WhoAmIHandler),
    (rf"/api/models/{ID}/refs", RefsHandler),
    (rf"/api/models/{ID}/revision/([^/]+)", ModelHandler),
    (rf"/api/models/{ID}/tree/([^/]+)(?:/(.+))?", TreeHandler),
    (rf"/api/models/{ID}/paths-info/([^/]+)", PathsInfoHandler),
    (rf"/api/models/{ID}", ModelHandler),
]
