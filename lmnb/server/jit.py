"""How models come for requests and go again, as both hosts are told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lmnb.server.environment import seconds, switch
from lmnb.service.manager import JIT_TTL

__all__ = ["JitLoading"]


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
            switch(environ, "LMNB_JIT_LOADING", default=True),
            seconds(environ, "LMNB_JIT_TTL", default=JIT_TTL),
            switch(environ, "LMNB_AUTO_EVICT", default=True),
        )
