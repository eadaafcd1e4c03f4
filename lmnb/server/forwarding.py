"""lmnb's notices in Jupyter's own event stream, where its pages listen anyway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmnb.service.notices import Notice, Notices, Subscription

__all__ = ["SCHEMA_FILE", "SCHEMA_ID", "Forwarding"]

SCHEMA_FILE = Path(__file__).with_name("notice.yaml")
SCHEMA_ID = "https://events.jupyter.org/lmnb/notice/v1"
PROGRESS_SECONDS = 0.5
"""Between two steps of one job: Jupyter's stream is for everybody."""


class Forwarding:
    """Runs from `start` until the notices end, or `stop`."""

    def __init__(
        self,
        notices: Notices,
        emit: Callable[..., Any],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notices = notices
        self._emit = emit
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """In the event loop."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run(self._notices.subscribe()))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self, subscription: Subscription) -> None:
        with subscription:
            async for notice in subscription:
                if self._is_due(notice):
                    data = {"kind": notice.kind, "data": dict(notice.data)}
                    self._emit(schema_id=SCHEMA_ID, data=data)

    def _is_due(self, notice: Notice) -> bool:
        if not notice.is_progress:
            self._last.pop(notice.job, None)
            return True
        now = self._clock()
        if now - self._last.get(notice.job, -PROGRESS_SECONDS) < PROGRESS_SECONDS:
            return False
        self._last[notice.job] = now
        return True
