"""The events of a response over server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from lmnb.api.base import ApiHandler
from lmnb.api.openai.responses.run import Loading
from lmnb.api.openai.responses.writer import Event
from lmnb.api.sse import DONE, EventStream
from lmnb.service.events import Progress

__all__ = ["send_events"]


async def send_events(
    handler: ApiHandler,
    source: AsyncGenerator[Event | Progress | Loading, None] | AsyncGenerator[Event, None],
) -> None:
    """All of them, at the reader's pace, and OpenAI's last word."""
    async with EventStream(handler) as stream, aclosing(source) as events:
        async for event in events:
            if isinstance(event, Progress):
                stream.comment(f"prompt {event.done}/{event.total}")
            elif isinstance(event, Loading):
                stream.comment(f"loading model {event.done:.0%}")
            else:
                stream.send(event.sse())
            await stream.ready()
        stream.send(DONE)
