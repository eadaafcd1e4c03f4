"""The base of every handler: who may call, JSON in and out, errors in the caller's shape."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast, overload

import msgspec
from tornado import web
from tornado.iostream import StreamClosedError

from lmnb.api.anthropic.errors import VERSION, error_json, status_of
from lmnb.api.body import Body, made_of, read_body
from lmnb.api.encoding import BodyTooLarge, decoded
from lmnb.api.services import SETTING, Services
from lmnb.errors import (
    AuthenticationError,
    InvalidRequest,
    LmnbError,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
)
from lmnb.service.caller import Caller, Permission
from lmnb.service.log import Requested

__all__ = ["ApiHandler", "endpoint"]

MAX_BODY_BYTES = 64 * 1024 * 1024
NEEDS = "__lmnb_needs"
"""What a verb is marked with: the permission that it asks for."""
Verb = Callable[..., Awaitable[None]]
BodyT = TypeVar("BodyT", bound=Body)
T = TypeVar("T")


def new_request_id() -> str:
    """For logs and questions: each answer carries one."""
    return f"req_{secrets.token_hex(12)}"


@overload
def endpoint(verb: Verb) -> Verb: ...
@overload
def endpoint(*, needs: Permission) -> Callable[[Verb], Verb]: ...
def endpoint(verb: Verb | None = None, *, needs: Permission = "use") -> Any:
    """Mark a verb as part of the API: its lmnb errors become JSON, and it ends with its client.

    `needs` is what a caller must be permitted; `ApiHandler.prepare` asks for it. Jupyter asks each
    verb to say how it is protected. Here `prepare` protects them all, which cannot be forgotten, so
    the mark says that Jupyter's own check is not needed.
    """
    if verb is None:
        return functools.partial(_endpoint, needs=needs)
    return _endpoint(verb, needs=needs)


def _endpoint(verb: Verb, *, needs: Permission) -> Verb:
    @functools.wraps(verb)
    async def answer(self: ApiHandler, *args: str) -> None:
        if self.client_gone:
            return
        self._task = asyncio.current_task()
        try:
            await verb(self, *args)
        except LmnbError as error:
            self.fail(error)
        except (asyncio.CancelledError, StreamClosedError):
            if not self.client_gone:
                raise
        finally:
            self._task = None

    setattr(answer, "__allow_unauthenticated", True)
    setattr(answer, NEEDS, needs)
    return answer


class ApiHandler(web.RequestHandler):
    """Knows the services and the wire. A host (notebook server or `lmnb serve`) says who may call."""

    public = False
    """Open to everybody, keys or not."""
    error_event: str | None = None
    """The name of the event that ends a stream which failed. OpenAI's has none."""
    ping: bytes = b": ping\n\n"
    """Sent while a stream has nothing to say."""
    caller: Caller | None = None
    """Who asks. None where nobody is asked: the route is public, or the request was refused."""
    client_gone = False
    _task: asyncio.Task[None] | None = None

    @property
    def services(self) -> Services:
        return cast(Services, self.settings[SETTING])

    @property
    def speaks_anthropic(self) -> bool:
        """Whether an SDK of Anthropic's asks; on routes that are others' too, it wants its own shapes."""
        return VERSION in self.request.headers

    def initialize(self) -> None:
        """Bodies are JSON whatever their type says; Tornado would parse some as forms."""
        self.request.headers.pop("Content-Type", None)

    async def admit(self) -> Caller:
        """Raise AuthenticationError or PermissionDenied unless the caller may call."""
        raise PermissionDenied("This handler is not hosted anywhere.")

    async def prepare(self) -> None:
        try:
            if self.request.method == "OPTIONS" or self.public:
                return
            self.caller = await self.admit()
            self._check_permission(self.caller)
            if len(self.request.body) > MAX_BODY_BYTES:
                raise BodyTooLarge(MAX_BODY_BYTES)
            if encoding := self.request.headers.get("Content-Encoding"):
                self.request.body = await asyncio.to_thread(
                    decoded, self.request.body, encoding, MAX_BODY_BYTES
                )
        except LmnbError as error:
            self.fail(error)

    def _check_permission(self, caller: Caller) -> None:
        verb = getattr(self, self.request.method.lower())
        needs: Permission | None = getattr(verb, NEEDS, None)  # None: no verb of this route, a 405
        if needs is not None and needs not in caller.permissions:
            raise PermissionDenied(
                f"This API key may not {self.request.method} {self.request.path}: it lacks the "
                f"permission '{needs}'.",
                code="missing_permission",
            )

    def keep_alive(self, text: str) -> bytes:
        """Sent while a stream waits for something that can be told in words."""
        return f": {text}\n\n".encode()

    # -- in and out

    async def read(self, model: type[BodyT]) -> BodyT:
        """The body, as `model`. Raises InvalidRequest."""
        return await read_body(self.request.body, model)

    async def make(self, make: Callable[[], T]) -> T:
        """What `make` makes of all that was read."""
        return await made_of(self.request.body, make)

    def reply(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(value))

    async def reply_in_pieces(self, pieces: Sequence[bytes]) -> None:
        """Answer with JSON of many megabytes, cut anywhere: Tornado copies what it is given, more than
        once."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Content-Length", sum(map(len, pieces)))
        *others, last = pieces
        for piece in others:
            self.write(piece)
            await self.flush()
        self.finish(last)

    def fail(self, error: LmnbError) -> None:
        """Answer with the error, as `error_body` writes it."""
        if self._headers_written or self._finished:
            return
        if error.retry_after is not None:
            self.set_header("Retry-After", str(max(1, round(error.retry_after))))
        if not error.retryable:
            self.set_header("x-should-retry", "false")
        if isinstance(error, AuthenticationError):
            self.set_header("WWW-Authenticate", "Bearer")
        if isinstance(error, MethodNotAllowed):
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        status = status_of(error) if self.speaks_anthropic else error.status
        self.reply(self.error_body(error), status)

    def error_body(self, error: LmnbError) -> dict[str, Any]:
        """How this dialect writes an error; OpenAI's shape, or Anthropic's."""
        if self.speaks_anthropic:
            return error_json(error, self.request_id)
        return error.to_json()

    def on_finish(self) -> None:
        """Into the log. Public routes are asked by machines, again and again."""
        super().on_finish()
        if not self.public:
            request = self.request
            self.services.log.write(
                Requested(
                    method=request.method,
                    path=request.path,
                    status=self.get_status(),
                    seconds=request.request_time(),
                    caller=self.caller.name if self.caller else "nobody",
                )
            )

    # -- Tornado's own ways

    def set_default_headers(self) -> None:
        super().set_default_headers()
        if not hasattr(self, "request_id"):
            self.request_id = new_request_id()
        self.set_header("x-request-id", self.request_id)
        if self.speaks_anthropic:
            self.set_header("request-id", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")

    def compute_etag(self) -> None:
        """No conditional requests: nothing here is worth a hash of each answer."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado raised itself: wrong verb, bad path, or a fault of ours."""
        cause = kwargs.get("exc_info", (None, None))[1]
        if isinstance(cause, LmnbError):
            return self.fail(cause)
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(self.allowed_methods())
            return self.fail(
                MethodNotAllowed(
                    f"{self.request.method} is not allowed on {self.request.path}, only {allowed}."
                )
            )
        reason = cause.log_message if isinstance(cause, web.HTTPError) else None
        error = _class_for(status_code)(reason or _phrase(status_code))
        error.status = status_code
        self.fail(error)

    def allowed_methods(self) -> list[str]:
        """The verbs of this route."""
        missing = web.RequestHandler._unimplemented_method
        return [
            name
            for name in self.SUPPORTED_METHODS
            if getattr(type(self), name.lower()) is not missing
        ]

    @endpoint
    async def options(self, *_: str) -> None:
        """What can be done here. Foreign pages get no CORS headers from us."""
        self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.set_status(204)
        self.finish()

    def on_connection_close(self) -> None:
        """The client went away: whatever runs for it ends now."""
        self.client_gone = True
        if self._task is not None:
            self._task.cancel()


def _class_for(status: int) -> type[LmnbError]:
    if status == HTTPStatus.NOT_FOUND:
        return NotFound
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError
    if status == HTTPStatus.FORBIDDEN:
        return PermissionDenied
    return InvalidRequest if status < HTTPStatus.INTERNAL_SERVER_ERROR else LmnbError


def _phrase(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The server failed to answer. Its log has the details."
    return HTTPStatus(status).phrase
