"""`await lmnb.achat(...)`: the same, for code that awaits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Literal, Self, overload

from lmnb.notebook.api.chat import Prompt, Streamed
from lmnb.notebook.api.connect import connected
from lmnb.notebook.api.question import SAY_MODEL, Asked
from lmnb.notebook.chat.exchange import Exchange
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.chat.tools import Toolbox
from lmnb.notebook.choice import choose_model
from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.async_client import AsyncClient


class AsyncReplyStream(Streamed, AsyncIterator[str]):
    """The pieces of an answer's text. Leaving its `async with` block, or `aclose()`, stops the model."""

    def __init__(self, connection: Connection, exchange: Exchange, tools: Toolbox) -> None:
        self._exchange = exchange
        self._pieces = self._follow(connection, tools)

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. What has come stays."""
        await self._pieces.aclose()

    async def _follow(self, connection: Connection, tools: Toolbox) -> AsyncGenerator[str]:
        exchange = self._exchange
        async with AsyncClient(connection) as client:
            while True:
                messages, fields = exchange.request()
                answer = client.chat(exchange.question.model, messages, **fields)
                async with aclosing(answer) as events:
                    async for event in events:
                        if piece := exchange.take(event):
                            yield piece
                if not exchange.pending:
                    break
                exchange.settle([await tools.arun(call) for call in exchange.pending])
        self._reply = exchange.result()


@overload
async def achat(prompt: Prompt, *, stream: Literal[False] = ..., **options: Any) -> Reply: ...
@overload
async def achat(prompt: Prompt, *, stream: Literal[True], **options: Any) -> AsyncReplyStream: ...
async def achat(
    prompt: Prompt, *, model: str | None = None, stream: bool = False, **options: Any
) -> Reply | AsyncReplyStream:
    """`lmnb.chat` for code that awaits, with the same options. Cancelling it stops the model.

    Tools may be `async`; those that are not run in a thread.

        reply = await lmnb.achat("2 + 2?", temperature=0)
        async for piece in await lmnb.achat("Tell me a story.", stream=True):
            print(piece, end="")
    """
    asked = Asked.of(prompt, **options)
    client = await asyncio.to_thread(connected)
    if model is None:
        model = choose_model(await asyncio.to_thread(client.models), say=SAY_MODEL)
    answer = AsyncReplyStream(client.connection, Exchange(asked.of_model(model)), asked.tools)
    if stream:
        return answer
    async with answer:
        async for _ in answer:
            pass
    return answer.reply
