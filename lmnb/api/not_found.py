"""Every path that is no route."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.errors import NotFound

__all__ = ["RouteNotFoundHandler"]


class RouteNotFoundHandler(ApiHandler):
    """A 404 that an SDK can show."""

    def _not_found(self, *_: str) -> None:
        path = self.request.path
        message = f"Unknown route: {self.request.method} {path}{_hint(path)}"
        raise NotFound(message, code="unknown_url")

    @endpoint
    async def get(self, *_: str) -> None:
        self._not_found()

    head = post = put = patch = delete = get


def _hint(path: str) -> str:
    """What is most often wrong with a client's base URL."""
    if "/v1/v1/" in path:
        return ". Anthropic's clients need a base URL without /v1."
    if "/v1" not in path and path.endswith(
        ("/models", "/completions", "/responses", "/embeddings")
    ):
        return ". OpenAI's clients need a base URL that ends in /v1."
    return ""
