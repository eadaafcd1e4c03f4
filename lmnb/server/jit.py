"""How models come for requests and go again, as both hosts are told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lmnb.errors import InvalidRequest
from lmnb.service.manager import JIT_TTL

__all__ = ["JitLoading", "seconds"]


@dataclass(frozen=True, slots=True)
class JitLoading:
    """`ttl` in seconds, 0: they stay. `auto_evict`: an idle one goes for the next."""

    enabled: bool = True
    ttl: float = JIT_TTL
    auto_evict: bool = True

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> JitLoading:
        """`LMNB_JIT_LOADING`, `LMNB_JIT_TTL`, `LMNB_AUTO_EVICT`. Raises InvalidRequest."""
        return cls(
            _switch(environ.get("LMNB_JIT_LOADING", "1")),
            seconds(environ.get("LMNB_JIT_TTL", str(JIT_TTL))),
            _switch(environ.get("LMNB_AUTO_EVICT", "1")),
        )


def seconds(text: str) -> float:
    """Raises InvalidRequest."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InvalidRequest(f"A time to live is a number of seconds, not {text!r}.")
    return value


def _switch(text: str) -> bool:
    return text.lower() not in ("0", "false", "no", "off")
