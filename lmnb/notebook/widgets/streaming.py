"""An answer that grows in a widget."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing

from lmnb.notebook.chat.exchange import Exchange
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.connection.wire import Progress
from lmnb.notebook.widgets.loop import Loop
from lmnb.notebook.widgets.rendering import pause


async def stream(
    loop: Loop,
    exchange: Exchange,
    grown: Callable[[Reply], None],
    reading: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Follow the answer to its end. `grown` sees it as often as it can be drawn, `reading` how far
    the prompt is. Raises LmnbError."""
    client = await loop.client()
    messages, fields = exchange.request()
    due = 0.0
    async with aclosing(client.chat(exchange.question.model, messages, **fields)) as events:
        async for event in events:
            if isinstance(event, Progress):
                reading(event)
                continue
            exchange.take(event)
            if time.monotonic() >= due:
                grown(reply := exchange.reply())
                due = time.monotonic() + pause(reply)
