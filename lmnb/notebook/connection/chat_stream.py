"""A chat completion's stream, as typed events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lmnb import errors
from lmnb.notebook.connection.sse import EventReader, ServerEvent
from lmnb.notebook.connection.transport import error_from
from lmnb.notebook.connection.wire import ChatEvent, End, Progress, Reasoning, Text, ToolDelta

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
"""What a request says to be answered with such a stream."""


class ChatReader:
    """Feed it all bytes as they come; `end` says how it ended.

    Also those after `[DONE]`: a response that is read to its end leaves its connection for the next
    request, and nothing to be cleaned up where an interrupt would be lost.
    """

    def __init__(self, model: str) -> None:
        self._events = EventReader()
        self._model, self._reason = model, ""
        self._usage = dict[str, Any]()
        self._timings = dict[str, Any]()
        self._done = False

    def feed(self, chunk: bytes) -> Iterator[ChatEvent]:
        """What these bytes say. Raises the error that the server sent instead."""
        for event in self._events.feed(chunk):
            yield from self._read(event)

    def end(self) -> End:
        """The last event. Raises ServiceClosed where the stream broke off before it."""
        if not self._reason:
            raise errors.ServiceClosed("The answer broke off: the server closed the stream.")
        return End(self._reason, self._model, self._usage, self._timings)

    def _read(self, event: ServerEvent) -> Iterator[ChatEvent]:
        if event.comment:
            if progress := _prompt_progress(event.comment):
                yield progress
        elif event.data == "[DONE]":
            self._done = True
        elif not self._done:
            yield from self._chunk(json.loads(event.data))

    def _chunk(self, data: dict[str, Any]) -> Iterator[ChatEvent]:
        if "error" in data:
            raise error_from(data, 500)
        self._model = data.get("model") or self._model
        self._usage = data.get("usage") or self._usage
        self._timings = data.get("timings") or self._timings
        for choice in data.get("choices", ()):
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                yield Reasoning(thought)
            if text := delta.get("content"):
                yield Text(text)
            for call in delta.get("tool_calls") or ():
                function = call.get("function") or {}
                yield ToolDelta(
                    index=int(call.get("index") or 0),
                    id=call.get("id") or "",
                    name=function.get("name") or "",
                    arguments=function.get("arguments") or "",
                )
            self._reason = choice.get("finish_reason") or self._reason


def _prompt_progress(comment: str) -> Progress | None:
    word, _, count = comment.partition(" ")
    done, _, total = count.partition("/")
    if word == "prompt" and done.isdigit() and total.isdigit():
        return Progress(int(done), int(total))
    return None
