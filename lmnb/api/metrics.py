"""GET /metrics: figures for Prometheus. In a notebook server Jupyter's own /metrics has them too."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lmnb.api.base import ApiHandler, endpoint

__all__ = ["MetricsHandler"]


class MetricsHandler(ApiHandler):
    """All that this process counts."""

    @endpoint
    async def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest())

    head = get
