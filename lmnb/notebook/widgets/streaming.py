"""An answer that grows in a widget."""

from __future__ import annotations

import time
from collections.abc import Callable

from lmnb.notebook.answering import follow
from lmnb.notebook.chat.exchange import Exchange
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.connection.wire import ChatEvent, Progress
from lmnb.notebook.display.rendering import pause
from lmnb.notebook.widgets.loop import Loop


async def stream(
    loop: Loop,
    exchange: Exchange,
    grown: Callable[[Reply], None],
    reading: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Follow the answer to its end. `grown` sees it as often as it can be drawn, `reading` how far
    the prompt is. Raises LmnbError."""
    due = 0.0

    def heard(event: ChatEvent) -> None:
        nonlocal due
        if isinstance(event, Progress):
            reading(event)
        elif time.monotonic() >= due:
            grown(reply := exchange.reply())
            due = time.monotonic() + pause(len(reply.text) + len(reply.reasoning))

    await follow(await loop.client(), exchange, heard)
