"""One response while it is written, whoever reads it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from lmnb.api.openai.responses.agent import Agent
from lmnb.api.openai.responses.context import Context, Memory, find_context
from lmnb.api.openai.responses.mcp_writer import McpWriter
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.resource import new_response, usage_json
from lmnb.api.openai.responses.truncation import start
from lmnb.api.openai.responses.writer import Event, Writer
from lmnb.api.services import Services
from lmnb.api.starting import Starting
from lmnb.errors import LmnbError
from lmnb.service.events import Progress, Usage
from lmnb.service.generation import Generation
from lmnb.service.loads import ProgressCallback

__all__ = ["Loading", "Run"]

log = logging.getLogger("lmnb.api")


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being loaded: 0.0 to 1.0."""

    done: float


class Run:
    """A generation and its events. What is to be stored is stored before the last event goes out,
    so that the client can go on from it at once."""

    def __init__(self, services: Services, request: ResponseRequest, memory: Memory | None = None):
        self.services = services
        self.request = request
        self.resource = new_response(request)
        self.context = Context()
        self.id: str = self.resource["id"]
        self._memory = memory
        self._agent: Agent | None = None
        self._writer: Writer | None = None
        self._generation: Generation | None = None
        self._starting: Starting[Generation | None] | None = None

    async def prepare(self) -> None:
        """Find the context. Raises what is wrong with it."""
        store = self.services.responses
        self.context = await find_context(self.request, self.id, store, self._memory)
        agent = Agent(self.services, self.request, self.context)  # what was approved needs a server
        if self.request.servers and self.request.generate:
            self._agent = agent

    async def begin(self) -> None:
        """Start the generation. Raises everything that can be known before the first token."""
        self._generation = await self._start().result()
        if self._generation is not None:
            self.resource["model"] = self._generation.model

    async def begin_soon(self) -> None:
        """`begin`, unless a model has to be loaded and takes its time: that is left to `events`."""
        if await self._start().soon(self.services.patience):
            await self.begin()

    def _start(self) -> Starting[Generation | None]:
        if self._starting is None:
            self._starting = Starting(self._generate)
        return self._starting

    async def _generate(self, progress: ProgressCallback) -> Generation | None:
        if self._agent is not None:
            await self.services.manager.target(self.request.model)
        if self._agent is not None or not self.request.generate:
            return None
        generations = self.services.generations
        return await start(generations, self.request, self.context.items, progress)

    @property
    def writer(self) -> Writer:
        if self._writer is None:
            kind = Writer if self._agent is None else McpWriter
            self._writer = kind(
                self.resource,
                first_item=len(self.context.input),
                logprobs=self.request.wants_logprobs,
                sealed_reasoning=self.request.wants_sealed_reasoning,
            )
        return self._writer

    async def events(self) -> AsyncGenerator[Event | Progress | Loading, None]:
        """To the end. Leaving early ends the generation."""
        for said in self.writer.opening():
            yield said
        try:
            async for done in self._start().steps(self.services.patience):
                yield Loading(done)
            await self.begin()
            if self._agent is not None and isinstance(self.writer, McpWriter):
                async with aclosing(self._agent.events(self.writer)) as steps:
                    async for step in steps:
                        yield step
            elif self._generation is None:
                self._finish_ungenerated()
            else:
                async for event in self._generation:
                    if type(event) is Progress:
                        yield event
                    for said in self.writer.write(event):
                        yield said
        finally:
            if generation := self._start().end():
                generation.cancel()
        closing = self.writer.closing()
        await self.save()
        for said in closing:
            yield said

    async def stream(self) -> AsyncGenerator[Event | Progress | Loading, None]:
        """The events, those of a failure included."""
        try:
            async with aclosing(self.events()) as events:
                async for event in events:
                    yield event
            return
        except LmnbError as error:
            failure = error
        except Exception:
            log.exception("A response failed")
            failure = LmnbError("The server failed while it answered. Its log has the details.")
        failed = self.writer.fail(failure)
        await self.save()
        for said in failed:
            yield said

    async def save(self, *, unfinished: bool = False) -> None:
        """Where the request says so."""
        store, context = self.services.responses, self.context
        try:
            if self.request.store:
                await asyncio.to_thread(
                    store.save,
                    self.resource,
                    context.input,
                    events=[event.data for event in self.writer.history],
                    unfinished=unfinished,
                )
            if self.request.conversation and self.resource["status"] in ("completed", "incomplete"):
                items = [*context.input, *self.resource["output"]]
                await asyncio.to_thread(store.add_items, self.request.conversation, items)
        except sqlite3.Error:
            log.exception("The response %s could not be stored", self.id)

    async def cancel(self) -> None:
        """The end, on request, of a response that is not finished."""
        self.writer.cancel()
        await self.save()

    def _finish_ungenerated(self) -> None:
        self.resource["status"] = "completed"
        self.resource["completed_at"] = int(time.time())
        self.resource["usage"] = usage_json(Usage())
