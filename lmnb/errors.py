"""One tree of errors. Each class knows the HTTP status and the OpenAI `type` and `code` it becomes."""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ContextLengthExceeded",
    "DamagedDownload",
    "DamagedModel",
    "DiskFull",
    "EngineDied",
    "EngineError",
    "GatedModel",
    "HubError",
    "HubRateLimited",
    "HubUnreachable",
    "InsufficientMemory",
    "InvalidAnswer",
    "InvalidImage",
    "InvalidRequest",
    "LmnbError",
    "LoadFailed",
    "McpConnectionFailed",
    "MethodNotAllowed",
    "MissingExtra",
    "ModelInUse",
    "ModelNotFound",
    "NotFound",
    "PermissionDenied",
    "QueueFull",
    "ServerNotFound",
    "ServiceClosed",
]


class LmnbError(Exception):
    """Base of every error that lmnb raises on purpose.

    `retry_after` (seconds) becomes a `Retry-After` header. `retryable=False` becomes
    `x-should-retry: false`, which the OpenAI SDKs honour: a load that failed once will fail again.
    """

    status = 500
    type = "server_error"
    code: str | None = None
    retry_after: float | None = None
    retryable = True

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code

    def to_json(self) -> dict[str, dict[str, str | None]]:
        """The body OpenAI's clients expect: all four keys, always."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class InvalidRequest(LmnbError):
    """The caller asked for something that cannot be done. `param` names the field."""

    status = 400
    type = "invalid_request_error"


class InvalidImage(InvalidRequest):
    """No picture that can be looked at. The message says why."""

    code = "invalid_image"


class ContextLengthExceeded(InvalidRequest):
    """The prompt does not fit the loaded context."""

    code = "context_length_exceeded"


class AuthenticationError(LmnbError):
    """No key, or a wrong one."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDenied(LmnbError):
    """A valid key that may not do this, or a page that may not reach us."""

    status = 403
    type = "permission_error"
    code = "permission_denied"


class NotFound(LmnbError):
    """No such route or object."""

    status = 404
    type = "not_found_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No model of that name, here."""

    code = "model_not_found"


class GatedModel(PermissionDenied):
    """On the Hub, for those only who accepted its terms. The message says where."""

    code = "gated_model"
    retryable = False


class HubError(LmnbError):
    """The Hugging Face Hub failed, or answered what makes no sense."""

    status = 502
    code = "hub_error"


class HubUnreachable(HubError):
    """The Hub cannot be reached, took too long, or we are told to be offline."""

    status = 503
    code = "hub_unreachable"


class HubRateLimited(HubError):
    """The Hub wants fewer requests."""

    status = 429
    type = "rate_limit_error"
    code = "hub_rate_limited"


class DamagedDownload(HubError):
    """What arrived is not what the Hub says the file is."""

    code = "download_damaged"


class DiskFull(LmnbError):
    """There is no room for it. The message says how much is needed and how much is free."""

    status = 507
    code = "disk_full"
    retryable = False


class ModelInUse(LmnbError):
    """The instance answers requests, which would not survive what was asked for."""

    status = 409
    type = "invalid_request_error"
    code = "model_in_use"
    retryable = False


class MethodNotAllowed(LmnbError):
    """The route exists; the verb does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class MissingExtra(LmnbError):
    """An optional package is not installed. The message says which."""

    status = 501
    code = "missing_extra"
    retryable = False


class McpConnectionFailed(LmnbError):
    """A server of tools cannot be reached, or does not speak the protocol."""

    status = 502
    code = "mcp_connection_error"


class QueueFull(LmnbError):
    """More requests wait than the model's queue may hold."""

    status = 429
    type = "rate_limit_error"
    code = "queue_full"
    retry_after = 1.0


class EngineError(LmnbError):
    """llama.cpp refused or failed a request that looked valid."""

    code = "engine_error"


class DamagedModel(EngineError):
    """The model computed what is no number. It will again."""

    code = "model_damaged"
    retryable = False


class LoadFailed(EngineError):
    """The model could not be loaded. The message holds what llama.cpp said."""

    code = "model_load_failed"
    retryable = False


class InsufficientMemory(LoadFailed):
    """The model would take more memory than there is, or than the guardrail leaves it."""

    status = 507
    code = "insufficient_memory"


class EngineDied(EngineError):
    """The engine process ended while the request ran. The next request starts a fresh one."""

    status = 503
    code = "engine_died"
    retry_after = 1.0


class ServiceClosed(LmnbError):
    """The server is shutting down, or the model was unloaded under the request."""

    status = 503
    code = "service_closed"
    retry_after = 1.0


class ServerNotFound(LmnbError):
    """Kernel side: there is no notebook server to talk to."""

    status = 503
    code = "server_not_found"


class InvalidAnswer(LmnbError):
    """Kernel side: the model's answer, `reply`, has no value of the type that was asked for."""

    code = "invalid_answer"
    reply: str = ""
