"""Requests to the Hub's API. Address, token and mode are looked up for each: they may change while
the server runs. What goes wrong becomes one of our errors, with what to do about it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lmnb.errors import (
    GatedModel,
    HubError,
    HubRateLimited,
    HubUnreachable,
    InvalidRequest,
    LmnbError,
    ModelNotFound,
    PermissionDenied,
)

__all__ = ["endpoint", "get", "hub_errors", "offline", "retry_after", "token"]

TIMEOUT = 20.0
"""Seconds without a byte. huggingface_hub's own client would wait for ever."""
LONGEST = 90.0
"""Seconds for a whole answer, of a Hub that sends a byte now and then."""
LARGEST = 64 << 20
"""Bytes of an answer, unpacked. One that lists 100,000 files has 25 MB."""
WAITS = (0.5, 1.0)
"""Seconds before a second and a third try: somebody waits for the answer."""
RETRIED = (500, 502, 503, 504)
DEFAULT_ENDPOINT = "https://huggingface.co"

Query = Mapping[str, str | int | list[str]]


def endpoint() -> str:
    """`HF_ENDPOINT`, without a slash at its end. Raises HubUnreachable for what is no address."""
    said = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    try:
        urlsplit(said)
    except ValueError:
        raise HubUnreachable(f"HF_ENDPOINT is no address: {said!r}.") from None
    return said


def token() -> str | None:
    """`HF_TOKEN`, or the one that `hf auth login` left."""
    from huggingface_hub import get_token

    return get_token()


def offline() -> bool:
    """`HF_HUB_OFFLINE`, read as huggingface_hub reads it."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in ("1", "ON", "YES", "TRUE")


def get(path: str, query: Query | str = "", *, about: str) -> tuple[Any, str | None]:
    """GET `path` below the endpoint: its JSON, and the query of the next page where there is one.

    `about` names what was looked for, in errors. Raises what `hub_errors` does.
    """
    from huggingface_hub.utils import hf_raise_for_status

    with hub_errors(about):
        response = _answer(path, query)
        hf_raise_for_status(response)
        try:
            value = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise HubError(f"{endpoint()} sent an answer for {about} that is no JSON.") from None
        following = response.links.get("next", {}).get("url")
        # Only its query is kept: a next page on another host would be given our token.
        return value, following.partition("?")[2] if following else None


def _answer(path: str, query: Query | str) -> Any:
    """Whole, in the type of huggingface_hub's client. Not through its `http_backoff`, which waits for
    as long as a `Retry-After` says, and reads whatever comes."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    url = f"{endpoint()}{path}" + (f"?{query}" if isinstance(query, str) and query else "")
    params = None if isinstance(query, str) else dict(query)
    headers = build_hf_headers(token=token() or False)
    for wait in (*WAITS, None):
        with get_session().stream(
            "GET", url, params=params, headers=headers, timeout=TIMEOUT
        ) as response:
            if wait is None or response.status_code not in RETRIED:
                return _bounded(response)
        time.sleep(wait)


def _bounded(response: Any) -> Any:
    """The same answer with all of its body. Raises HubError for one that does not end."""
    body, begun = bytearray(), time.monotonic()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > LARGEST or time.monotonic() - begun > LONGEST:
            raise HubError(f"{endpoint()} sends an answer that does not end.")
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    return type(response)(
        response.status_code, headers=headers, content=bytes(body), request=response.request
    )


@contextmanager
def hub_errors(about: str) -> Iterator[None]:
    """Turns what huggingface_hub raises into ModelNotFound, GatedModel, PermissionDenied,
    HubRateLimited, HubUnreachable, HubError or InvalidRequest. `about`: a repository, a search."""
    from huggingface_hub import errors

    if offline():
        raise HubUnreachable(
            f"Not asking the Hub for {about}: HF_HUB_OFFLINE is set. Models that are here can be used."
        )
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise HubUnreachable(f"Not asking the Hub for {about}: {error}") from error
    except errors.HfHubHTTPError as error:
        raise _refusal(error, about) from error
    except errors.HFValidationError as error:
        raise InvalidRequest(f"{about}: {error}", param="model") from error
    except errors.HTTPError as error:  # the client's own: nobody answered, or not in time
        what = str(error) or type(error).__name__
        raise HubUnreachable(f"Could not reach {endpoint()} for {about}: {what}") from error
    except Exception as error:
        # InvalidURL is no HTTPError; and it is httpx's in one version, httpx2's in the next.
        if not isinstance(error, ValueError) and type(error).__name__ != "InvalidURL":
            raise
        raise HubError(f"{endpoint()} cannot be asked for {about}: {error}") from error


def _refusal(error: Any, about: str) -> LmnbError:
    """`error`: a HfHubHTTPError."""
    from huggingface_hub import errors

    status = error.response.status_code
    named = "with the token that is set" if token() else "without a token (HF_TOKEN is not set)"
    if isinstance(error, errors.GatedRepoError):
        return GatedModel(
            f"{about} is gated: accept its terms at {endpoint()}/{about}, then use a token of that "
            f"account in HF_TOKEN. Asked {named}.",
            param="model",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelNotFound(f"{about} has no such revision.", param="revision")
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        return ModelNotFound(
            f"The Hub shows no {about} {named}: it does not exist, or it is private, and then a token "
            "that may see it is needed.",
            param="model",
        )
    if status in (401, 403):
        said = error.server_message or error.response.reason_phrase
        return PermissionDenied(f"The Hub refuses {about} {named}: {said}", param="model")
    if status == 429:
        limited = HubRateLimited(f"The Hub wants fewer requests; {about} was asked {named}.")
        limited.retry_after = retry_after(error.response.headers)
        return limited
    return HubError(f"The Hub failed at {about}: {status} {error.response.reason_phrase}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: `Retry-After`, a number or a date, or `t=` of the Hub's `RateLimit`. None: the
    answer does not say."""
    said = headers.get("Retry-After", "").strip()
    if not said:
        match = re.search(r"\bt=([0-9]+)", headers.get("RateLimit", ""))
        said = match[1] if match else ""
    if said.isascii() and said.isdigit():
        return float(said[:12])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):
        return None
