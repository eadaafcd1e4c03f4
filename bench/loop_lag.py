"""A server extension that measures how late the notebook server's event loop is.

Only the benchmark loads it. A callback is due every 5 ms; how late it runs is what a user's kernel
message, save or click waits for. `POST {base_url}lmnb-bench/loop-lag` starts a measurement,
`GET` ends it and returns the figures.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from bench.summary import percentile

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

PATH = "lmnb-bench/loop-lag"
PERIOD = 0.005
MAX_SAMPLES = 200_000


class LoopLag:
    """Times a periodic callback against the loop's own clock."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.stop()
        self.late.clear()
        self._schedule(asyncio.get_running_loop())

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + PERIOD
        self._handle = loop.call_at(due, self._tick, loop, due)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.late.append(loop.time() - due)
        if len(self.late) < MAX_SAMPLES:
            self._schedule(loop)

    def result(self) -> dict[str, float]:
        figures: dict[str, float] = {
            f"p{percent}_ms": percentile(self.late or [0.0], percent) * 1000
            for percent in (50, 95, 99)
        }
        figures["max_ms"] = max(self.late, default=0.0) * 1000
        figures["samples"] = len(self.late)
        return figures


class LoopLagHandler(JupyterHandler):
    """Start and read the measurement."""

    def initialize(self, meter: LoopLag) -> None:
        self.meter = meter

    @web.authenticated
    async def post(self) -> None:
        self.meter.start()
        self.finish({})

    @web.authenticated
    async def get(self) -> None:
        self.meter.stop()
        self.finish(self.meter.result())


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "bench.loop_lag"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    route = url_path_join(app.base_url, PATH)
    application: Any = app.web_app
    application.add_handlers(".*$", [(route, LoopLagHandler, {"meter": LoopLag()})])
