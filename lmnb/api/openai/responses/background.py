"""Responses that are written whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from lmnb.api.openai.responses.run import Run
from lmnb.api.openai.responses.writer import Event

__all__ = ["Background"]


class Background:
    """A run with a task of its own. Readers may come, go, and come again."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._changed = asyncio.Event()
        self._finished = False
        run.services.runs[run.id] = self
        self.task = asyncio.create_task(self._write())

    async def follow(self, after: int = -1) -> AsyncGenerator[Event, None]:
        """Every event behind number `after`, those to come included."""
        history, position = self.run.writer.history, after + 1
        while True:
            changed, finished = self._changed, self._finished
            for event in history[position:]:
                yield event
                position += 1
            if position < len(history):
                continue
            if finished:
                return
            await changed.wait()

    async def cancel(self) -> None:
        """Returns when the response says that it is cancelled."""
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _write(self) -> None:
        run = self.run
        try:
            await run.save(unfinished=True)
            with run.services.activity.busy():
                async for _ in run.stream():
                    self._tell()
        except asyncio.CancelledError:
            await run.cancel()
        finally:
            self._finished = True
            run.services.runs.pop(run.id, None)
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
