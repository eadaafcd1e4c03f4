"""What all of the stand-in's handlers share: who asks, which repository, the Hub's errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tornado import web

from tests.hub.repository import File, Repository

if TYPE_CHECKING:
    from tests.hub.server import StandInHub

__all__ = ["HubError", "HubHandler", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One that came, as tests look at them afterwards."""

    server: str
    """`hub` or `cdn`."""
    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]


class HubError(web.HTTPError):
    """What the Hub answers: a status, a code in a header, a message in both."""

    def __init__(self, status: int, code: str | None, message: str, **headers: str) -> None:
        super().__init__(status)
        self.code, self.message, self.headers = code, message, headers


class HubHandler(web.RequestHandler):
    server = "hub"

    @property
    def hub(self) -> StandInHub:
        return self.settings["hub"]  # type: ignore[no-any-return]

    def prepare(self) -> None:
        request = self.request
        query = {
            name: [value.decode() for value in values]
            for name, values in request.query_arguments.items()
        }
        headers = {name.lower(): value for name, value in request.headers.get_all()}
        self.hub.requests.append(
            Request(self.server, str(request.method), unquote(request.path), headers, query)
        )

    def set_default_headers(self) -> None:
        self.set_header("Server", "stand-in")
        self.set_header("X-Request-Id", "Root=1-stand-in")

    def compute_etag(self) -> None:
        """Handlers set the Hub's own."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1]
        if isinstance(error, HubError):
            if error.code:
                self.set_header("X-Error-Code", error.code)
            self.set_header("X-Error-Message", error.message)
            for name, value in error.headers.items():
                self.set_header(name.replace("_", "-"), value)
        message = getattr(error, "message", None) or self._reason
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps({"error": message}) if self.request.method != "HEAD" else None)

    def answer(self, value: Any) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(value))

    # -- who, and what

    def user(self) -> str | None:
        """Whose token came along. Raises 401 for one that nobody has."""
        header = self.request.headers.get("Authorization")
        if header is None:
            return None
        user = self.hub.tokens.get(header.removeprefix("Bearer "))
        if user is None:
            raise HubError(401, None, "Invalid credentials in Authorization header")
        return user

    def repository(self, id: str) -> Repository:
        """Raises what the Hub says when there is none, or none that this user may know of."""
        user, found = self.user(), self.hub.repositories.get(id)
        if found is not None and (not found.private or user in found.readers):
            return found
        if user is None:
            raise HubError(401, "RepoNotFound", "Invalid username or password.")
        raise HubError(404, "RepoNotFound", "Repository not found")

    def commit(self, repository: Repository, revision: str) -> tuple[str, dict[str, File]]:
        found = repository.at(unquote(revision))
        if found is None:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def admit_to_files(self, repository: Repository) -> None:
        """Of a gated repository everybody may see the list, and only readers the files."""
        if not repository.gated:
            return
        user, id = self.user(), repository.id
        if user is None:
            raise HubError(
                401,
                "GatedRepo",
                f"Access to model {id} is restricted. You must have access to it and be "
                "authenticated to access it. Please log in.",
            )
        if user not in repository.readers:
            raise HubError(
                403,
                "GatedRepo",
                f"Access to model {id} is restricted and you are not in the authorized list. "
                f"Visit https://huggingface.co/{id} to ask for access.",
            )
