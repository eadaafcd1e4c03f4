"""One verb of one path: what it takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lmnb.api.answers.helpers import Error
from lmnb.api.body import Body
from lmnb.api.query import Query

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """An entry of `GET openapi.json`."""

    verb: Literal["get", "post", "put", "delete"]
    path: str
    summary: str
    answer: Any
    """A type, or None where the answer is no JSON."""
    body: type[Body] | None = None
    query: type[Query] | None = None
    streams: bool = False
    """With `"stream": true`, events are the answer."""
    endless: bool = False
    """Events are the only answer, until the client leaves."""
    public: bool = False
    error: Any = Error
