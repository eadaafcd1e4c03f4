"""Where a server is, and the key that opens it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from lmnb.errors import ServerNotFound

NO_KEY = "lmnb"
"""Sent where there is no key: the OpenAI SDKs insist on one, and a Jupyter server without
authentication wants the header, which no page of another site can send."""
LM_STUDIO_PORT = 1234


@dataclass(frozen=True, slots=True)
class Connection:
    """An address under which lmnb's routes hang (it ends in `/`), and the key that opens them."""

    base_url: str
    api_key: str
    origin: str
    """How it was found, for people."""

    @property
    def openai_base_url(self) -> str:
        """What the OpenAI SDKs call `base_url`."""
        return self.base_url + "v1"

    @property
    def bearer(self) -> str:
        """What goes into the `Authorization` header."""
        return self.api_key or NO_KEY

    @property
    def is_loopback(self) -> bool:
        """On this machine: no proxy stands between, and certificates are self-signed."""
        host = urlsplit(self.base_url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")


def is_healthy(base_url: str) -> bool:
    """Does an lmnb answer there? Needs no key, and is shown none."""
    try:
        response = httpx.get(base_url + "health", timeout=5, trust_env=False, verify=False)
        return response.status_code == 200 and bool(response.json().get("status") == "ok")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError):
        return False


def root_of(url: str) -> str:
    """The address without the `/v1` people are used to give, ending in one slash."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/") + "/"


def checked(url: str, name: str) -> str:
    """`root_of` an address that can be one. Raises ServerNotFound."""
    with suppress(ValueError, httpx.InvalidURL):
        parts = httpx.URL(url)
        if parts.scheme in ("http", "https") and parts.host and urlsplit(url).port != 0:
            return root_of(url)
    raise ServerNotFound(
        f"{name} is an address such as http://127.0.0.1:{LM_STUDIO_PORT}, not {url[:200]!r}."
    )


def reachable(url: str, bound_to: str | None = None) -> str:
    """A server bound to every address is reached on this machine's own."""
    parts = urlsplit(url)
    host = parts.hostname if bound_to is None else bound_to
    if (host or "") in ("", "0.0.0.0", "::", "*"):
        own = "[::1]" if host == "::" else "127.0.0.1"
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"{own}{port}")
    return urlunsplit(parts).rstrip("/") + "/"
