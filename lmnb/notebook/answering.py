"""An answer on the server, followed from here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from lmnb.notebook.chat.exchange import Exchange
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.wire import ChatEvent


async def follow(
    client: AsyncClient, exchange: Exchange, heard: Callable[[ChatEvent], None] = lambda _: None
) -> None:
    """One request of the exchange, to its end; `heard` is told each event once it is taken.

    Raises LmnbError. Cancelling it stops the model.
    """
    messages, fields = exchange.request()
    async with aclosing(client.chat(exchange.question.model, messages, **fields)) as events:
        async for event in events:
            exchange.take(event)
            heard(event)
