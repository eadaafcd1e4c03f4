"""The routes of the catalogue, and what they take and give."""

from __future__ import annotations

from lmnb.api.answers import catalogue, models
from lmnb.api.base import ApiHandler
from lmnb.api.lmstudio.catalogue.duplicates import DuplicatesHandler
from lmnb.api.lmstudio.catalogue.model import (
    DeleteHandler,
    DeleteQuery,
    DeleteRequest,
    ModelHandler,
)
from lmnb.api.lmstudio.catalogue.resolve import ResolveHandler, ResolveRequest
from lmnb.api.lmstudio.catalogue.search import RepositoryHandler, SearchHandler, SearchQuery
from lmnb.api.operation import Operation

__all__ = ["CATALOGUE_OPERATIONS", "CATALOGUE_ROUTES"]

CATALOGUE_ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (r"/api/v1/models/search/?", SearchHandler),
    (r"/api/v1/models/search/([^/]+)/([^/]+?)/?", RepositoryHandler),
    (r"/api/v1/models/resolve/?", ResolveHandler),
    (r"/api/v1/models/duplicates/?", DuplicatesHandler),
    (r"/api/v1/models/delete/?", DeleteHandler),
    (r"/api/v1/models/(.+?)/?", ModelHandler),
]
"""The last takes every name of a model: routes of other names come before."""

CATALOGUE_OPERATIONS = (
    Operation(
        "get",
        "/api/v1/models/search",
        "Models on the Hub, and what of them fits this machine",
        catalogue.HubModelList,
        query=SearchQuery,
    ),
    Operation(
        "get",
        "/api/v1/models/search/{owner}/{repo}",
        "One repository on the Hub",
        catalogue.HubRepository,
    ),
    Operation(
        "post",
        "/api/v1/models/resolve",
        "What a name means on the Hub",
        catalogue.HubResolution,
        ResolveRequest,
    ),
    Operation(
        "get", "/api/v1/models/duplicates", "Content that is here twice", catalogue.DuplicateList
    ),
    Operation(
        "post",
        "/api/v1/models/delete",
        "Delete a model's files",
        catalogue.DeletedModel,
        DeleteRequest,
    ),
    Operation("get", "/api/v1/models/{key}", "One model on disk", models.NativeModel),
    Operation(
        "delete",
        "/api/v1/models/{key}",
        "Delete a model's files",
        catalogue.DeletedModel,
        query=DeleteQuery,
    ),
)
