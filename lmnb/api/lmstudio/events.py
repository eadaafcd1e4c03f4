"""GET /api/v1/events: what happens in the server, as it happens."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse

__all__ = ["EventsHandler"]


class EventsHandler(ApiHandler):
    """One listener, until it leaves or the server stops. Listening keeps no server awake."""

    @endpoint
    async def get(self) -> None:
        async with EventStream(self) as events:
            events.comment("listening")
            with self.services.notices.subscribe() as notices:
                async for notice in notices:
                    events.send(sse({**notice.data, "time": notice.time}, notice.kind))
                    await events.ready()
