"""Figures for Prometheus, in its client's own registry: a notebook server's `/metrics` has them too.

They count over the life of the process and over all models; `model` tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from lmnb.engine.events import Finished
    from lmnb.service.manager import ModelManager

__all__ = ["RequestMeter", "watch"]

SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

REQUESTS = Counter("lmnb_requests", "Generations that ended, by how.", ["model", "reason"])
PROMPT = Counter("lmnb_prompt_tokens", "Tokens of prompts, cached ones included.", ["model"])
CACHED = Counter("lmnb_cached_tokens", "Tokens of prompts found in the KV cache.", ["model"])
COMPLETION = Counter("lmnb_completion_tokens", "Tokens written.", ["model"])
FIRST_TOKEN = Histogram(
    "lmnb_first_token_seconds", "From request to first token.", ["model"], buckets=SECONDS
)
RUNNING = Gauge("lmnb_requests_running", "Generations that are being computed.")
WAITING = Gauge("lmnb_requests_waiting", "Generations of which nothing has been computed yet.")
LOADED = Gauge("lmnb_models_loaded", "Models in memory.")

_managers: WeakSet[ModelManager] = WeakSet()
LOADED.set_function(lambda: sum(len(manager.loaded()) for manager in _managers))


def watch(manager: ModelManager) -> None:
    """Count its models among the loaded ones, while it lives."""
    _managers.add(manager)


class RequestMeter:
    """Follows one generation: waiting, running, over."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._in: Gauge | None = None
        self._enter(WAITING)

    def computing(self) -> None:
        """The engine has begun with it. May be said again."""
        if self._in is WAITING:
            self._enter(RUNNING)

    def finished(self, end: Finished) -> None:
        REQUESTS.labels(self._model, end.reason).inc()
        PROMPT.labels(self._model).inc(end.prompt_tokens)
        CACHED.labels(self._model).inc(end.cached_tokens)
        COMPLETION.labels(self._model).inc(end.completion_tokens)
        if end.completion_tokens:
            FIRST_TOKEN.labels(self._model).observe(end.timings.first_token)
        self._enter(None)

    def abandoned(self) -> None:
        """Its caller left, or it failed. Means nothing after the end."""
        if self._in is not None:
            REQUESTS.labels(self._model, "abandoned").inc()
            self._enter(None)

    def _enter(self, gauge: Gauge | None) -> None:
        if self._in is not None:
            self._in.dec()
        if gauge is not None:
            gauge.inc()
        self._in = gauge
