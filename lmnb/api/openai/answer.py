"""From requests to an answer: start every choice, then write them as they come or all at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from lmnb.api.base import ApiHandler
from lmnb.api.sse import EventStream
from lmnb.api.starting import Starting
from lmnb.errors import LmnbError
from lmnb.service.events import GenerationEvent, Progress
from lmnb.service.generation import Generation
from lmnb.service.generations import Generations
from lmnb.service.loads import ProgressCallback
from lmnb.service.request import GenerationRequest

__all__ = ["Dialect", "answer"]

log = logging.getLogger("lmnb.api")


class Dialect(Protocol):
    """How one route writes what happens. `index` is the number of the choice."""

    def begin(self, generations: Sequence[Generation]) -> None:
        """All are accepted: what answers and the lengths of the prompts are known."""

    def opening(self, index: int) -> bytes:
        """The first events of a choice."""

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        """The events for one step of a choice. Also remembers it, for `closing`."""

    def closing(self) -> bytes:
        """The events after the last choice has ended."""

    def collect(self, index: int, event: GenerationEvent) -> None:
        """Remember one step of a choice, for `whole`."""

    def whole(self) -> object:
        """The answer, not streamed."""


async def answer(
    handler: ApiHandler, requests: Sequence[GenerationRequest], dialect: Dialect, *, stream: bool
) -> None:
    """Errors known before the first token are raised here, before anything is sent; unless a model
    has to be loaded for a stream and takes its time, which is answered with keep-alives."""
    services = handler.services
    with services.activity.busy():
        starting = Starting(lambda progress: _start(services.generations, requests, progress))
        try:
            if stream:
                if await starting.soon(services.patience):
                    await starting.result()
                await _stream(handler, starting, dialect)
            else:
                await _collect(await starting.result(), dialect)
                handler.reply(dialect.whole())
        finally:
            for generation in starting.end() or ():
                generation.cancel()


async def _start(
    generations: Generations, requests: Sequence[GenerationRequest], progress: ProgressCallback
) -> list[Generation]:
    """All, or none: when one is refused, the others are cancelled."""

    def start(request: GenerationRequest) -> Coroutine[Any, Any, Generation]:
        return generations.start(request, progress=progress)

    if len(requests) == 1:
        return [await start(requests[0])]
    tasks = [asyncio.ensure_future(start(request)) for request in requests]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        for started in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(started, BaseException):
                started.cancel()
        raise


async def _collect(generations: Sequence[Generation], dialect: Dialect) -> None:
    dialect.begin(generations)
    for index, generation in enumerate(generations):
        async for event in generation:
            dialect.collect(index, event)


async def _stream(
    handler: ApiHandler, starting: Starting[list[Generation]], dialect: Dialect
) -> None:
    async with EventStream(handler) as events:

        async def write(index: int, generation: Generation) -> None:
            events.send(dialect.opening(index))
            async for event in generation:
                if chunk := dialect.chunk(index, event):
                    events.send(chunk)
                elif type(event) is Progress:
                    events.comment(f"prompt {event.done}/{event.total}")
                await events.ready()

        try:
            async for done in starting.steps(handler.services.patience):
                events.comment(f"loading model {done:.0%}")
            generations = await starting.result()
            dialect.begin(generations)
            if len(generations) == 1:
                await write(0, generations[0])
            else:
                await _together([write(*numbered) for numbered in enumerate(generations)])
            events.send(dialect.closing())
        except LmnbError as error:
            events.fail(error)
        except Exception:
            if handler.client_gone:
                raise
            log.exception("A stream failed")
            events.fail(LmnbError("The server failed while it answered. Its log has the details."))


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All at the same time. The first failure ends the rest and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
