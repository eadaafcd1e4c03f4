"""How requests travel: whose they are, how long they may take, and which error a failure becomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from lmnb import errors
from lmnb.errors import LmnbError
from lmnb.notebook.connection.address import Connection

QUICK = httpx.Timeout(30, connect=5)
PATIENT = httpx.Timeout(None, connect=5)  # loads and answers take as long as they take


def http_options(connection: Connection) -> dict[str, Any]:
    """What an `httpx.Client` or `AsyncClient` for this server is made with."""
    return {
        "base_url": connection.base_url,
        "headers": {"Authorization": f"Bearer {connection.bearer}"},
        "timeout": QUICK,
        "trust_env": not connection.is_loopback,
        "verify": not connection.is_loopback,
    }


@contextmanager
def failures(where: str) -> Iterator[None]:
    """What goes wrong on the way to `where` becomes one of our errors."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise errors.ServerNotFound(f"No lmnb server answers at {where}.") from error
    except httpx.TimeoutException as error:
        raise errors.ServerNotFound(f"The lmnb server at {where} does not answer.") from error
    except httpx.TransportError as error:
        raise errors.ServiceClosed(f"The connection to {where} was lost.") from error
    except ValueError as error:
        raise LmnbError(f"{where} did not answer as an lmnb server does.") from error


def check(response: httpx.Response) -> None:
    """Raise the error that a response stands for, if it is one. Its body has been read."""
    if response.is_success:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    raise error_from(body, response.status_code)


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The object that a good response holds."""
    check(response)
    value = response.json()
    if not isinstance(value, dict):
        raise LmnbError(f"{response.url} did not answer as an lmnb server does.")
    return value


def error_from(body: Any, status: int) -> LmnbError:
    """The error a server's answer stands for, with its message."""
    facts = body.get("error") if isinstance(body, dict) else None
    if isinstance(facts, str):
        facts = {"message": facts}
    if not isinstance(facts, dict):
        facts = {}
    message = str(facts.get("message") or f"The server answered with status {status}.")
    code = facts.get("code")
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, LmnbError)]
    kind = (
        next((c for c in classes if code and c.code == code), None)
        or next((c for c in classes if c.status == status and c is not LmnbError), None)
        or LmnbError
    )
    return kind(message, param=facts.get("param"), code=code)
