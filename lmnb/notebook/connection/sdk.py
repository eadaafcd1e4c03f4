"""Ready-made OpenAI clients for this process's own server."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.session import session

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY")
PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY")


def client(**options: Any) -> OpenAI:
    """A ready `openai.OpenAI` for the lmnb server of this notebook.

    `options` go to `openai.OpenAI`.
    """
    import openai

    connection = session.connection()
    if connection.is_loopback:  # a proxy for the world is none for this machine
        options.setdefault("http_client", openai.DefaultHttpxClient(trust_env=False, verify=False))
    return openai.OpenAI(**_defaults(connection) | options)


def async_client(**options: Any) -> AsyncOpenAI:
    """A ready `openai.AsyncOpenAI` for the lmnb server of this notebook."""
    import openai

    connection = session.connection()
    if connection.is_loopback:
        options.setdefault(
            "http_client", openai.DefaultAsyncHttpxClient(trust_env=False, verify=False)
        )
    return openai.AsyncOpenAI(**_defaults(connection) | options)


def _defaults(connection: Connection) -> dict[str, Any]:
    return {"base_url": connection.openai_base_url, "api_key": connection.bearer}


class OpenAIEnvironment:
    """Makes a bare `OpenAI()` find this server, unless the user pointed it elsewhere."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._changes: dict[str, tuple[str, str | None]] = {}
        """What we set, and what had been there."""

    def point_to(self, connection: Connection) -> bool:
        """Set both variables or, when the user had set either, none."""
        self.restore()
        if any(self._environ.get(name) for name in VARIABLES):
            return False
        values = (connection.openai_base_url, connection.bearer)
        for name, value in zip(VARIABLES, values, strict=True):
            self._set(name, value)
        if connection.is_loopback and any(self._environ.get(name) for name in PROXIES):
            self._bypass_proxy(urlsplit(connection.base_url).hostname or "")
        return True

    def restore(self) -> None:
        """Take back what is still as we set it."""
        for name, (ours, before) in self._changes.items():
            if self._environ.get(name) != ours:
                continue
            if before is None:
                del self._environ[name]
            else:
                self._environ[name] = before
        self._changes = {}

    def _bypass_proxy(self, host: str) -> None:
        """A proxy for the world cannot reach this machine's own server."""
        for name in ("no_proxy", "NO_PROXY"):
            hosts = self._environ.get(name, "").split(",")
            if host not in hosts:
                self._set(name, ",".join([*filter(None, hosts), host]))

    def _set(self, name: str, value: str) -> None:
        self._changes[name] = value, self._environ.get(name)
        self._environ[name] = value
