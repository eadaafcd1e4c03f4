"""A load's stream: how far it is, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from lmnb import errors
from lmnb.notebook.connection.sse import EventReader, ServerEvent
from lmnb.notebook.connection.transport import error_from


class LoadReader:
    """Feed it all bytes as they come; `end` gives what the server says. `progress` hears shares from
    0.0 to 1.0."""

    def __init__(self, model: str, progress: Callable[[float], None] | None) -> None:
        self._events = EventReader()
        self._model, self._progress = model, progress
        self._answer: dict[str, Any] | None = None

    def feed(self, chunk: bytes) -> None:
        """Raises the error that the server sent instead."""
        for event in self._events.feed(chunk):
            self._read(event)

    def end(self) -> dict[str, Any]:
        """Raises LoadFailed where the stream broke off before."""
        for event in self._events.close():
            self._read(event)
        if self._answer is None:
            raise errors.LoadFailed(f"The server stopped while it loaded {self._model!r}.")
        return self._answer

    def _read(self, event: ServerEvent) -> None:
        if not event.data:
            return
        data = json.loads(event.data)
        kind = data.get("type") or event.event
        if kind == "model_load.progress" and self._progress is not None:
            self._progress(float(data.get("progress", 0)))
        elif kind == "model_load.end":
            self._answer = data
        elif kind == "error" or "error" in data:
            raise error_from(data, 500)


def load_request(model: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """What asks for such a stream."""
    return {"model": model, **(options or {}), "stream": True, "echo_load_config": True}


def is_stream(response: httpx.Response) -> bool:
    """A load that takes no time is answered without one."""
    return "event-stream" in response.headers.get("content-type", "")
