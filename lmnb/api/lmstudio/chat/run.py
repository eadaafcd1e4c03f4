"""One chat while it is answered: load, connect, read, think, call, say, remember."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from lmnb.api.lmstudio.chat.integrations import wanted_servers
from lmnb.api.lmstudio.chat.request import NativeChatRequest
from lmnb.api.lmstudio.chat.thread import Thread, find_thread
from lmnb.api.lmstudio.chat.writer import Step, Writer
from lmnb.api.lmstudio.errors import error_json
from lmnb.api.openai.sampling import thinking_variables, token_limit
from lmnb.api.services import Services
from lmnb.errors import InvalidRequest, LmnbError
from lmnb.models.gguf.reasoning import reasoning_options
from lmnb.service.instances import LoadedModel, Target
from lmnb.service.mcp.toolbox import Toolbox, Wanted
from lmnb.service.request import GenerationRequest
from lmnb.service.toolloop import converse

__all__ = ["ChatRun"]

log = logging.getLogger("lmnb.api")


class ChatRun:
    """Made by `prepare`. `result` is the whole answer, as far as it has come."""

    def __init__(
        self,
        services: Services,
        request: NativeChatRequest,
        target: Target,
        thread: Thread,
        wanted: list[Wanted],
    ) -> None:
        self._services = services
        self._request = request
        self._target = target
        self._thread = thread
        self._toolbox = Toolbox(wanted, services.mcp.outbound)
        self._writer = Writer(self._toolbox.offers)
        self._load_seconds: float | None = None
        self._stored = False

    @classmethod
    async def prepare(cls, services: Services, request: NativeChatRequest) -> ChatRun:
        """Raises what can be known to be wrong before anything is loaded."""
        target = await services.manager.target(request.model, context_length=request.context_length)
        _check_reasoning(request, target)
        wanted = await wanted_servers(request.integrations, services.mcp)
        thread = await find_thread(request, services.responses)
        return cls(services, request, target, thread, wanted)

    @property
    def result(self) -> dict[str, Any]:
        load = {"model_load_time_seconds": self._load_seconds}
        return {
            "model_instance_id": self._target.identifier,
            "output": self._writer.output,
            "stats": {**self._writer.stats, **(load if self._load_seconds is not None else {})},
            **({"response_id": self._thread.id} if self._stored else {}),
        }

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Every event but the last. Leaving early ends what runs."""
        yield {"type": "chat.start", "model_instance_id": self._target.identifier}
        progress: asyncio.Queue[float | None] = asyncio.Queue()
        load = asyncio.ensure_future(
            self._services.manager.acquire(
                self._target, ttl=self._request.ttl, progress=progress.put_nowait
            )
        )
        load.add_done_callback(lambda _: progress.put_nowait(None))
        try:
            async for step in self._loading(progress):
                yield step
            model = await load
            if self._load_seconds is not None:
                self._load_seconds = seconds = round(model.load_seconds, 3)
                yield self._load_step("end", load_time_seconds=seconds)
            async with self._toolbox, aclosing(self._converse()) as steps:
                async for step in steps:
                    yield step
        finally:
            _release(load)
        if self._request.store:
            await self._thread.save(self._services.responses)
            self._stored = True

    async def stream(self) -> AsyncGenerator[Step, None]:
        """Every event, whatever happens: a failure is one, and the last has what there is."""
        try:
            async with aclosing(self.steps()) as steps:
                async for step in steps:
                    yield step
        except LmnbError as error:
            failure: LmnbError | None = error
        except Exception:
            log.exception("A chat failed")
            failure = LmnbError("The server failed while it answered. Its log has the details.")
        else:
            failure = None
        for step in self._writer.close():
            yield step
        if failure is not None:
            yield {"type": "error", "error": error_json(failure)}
        yield {"type": "chat.end", "result": self.result}

    async def _loading(self, progress: asyncio.Queue[float | None]) -> AsyncGenerator[Step, None]:
        """Nothing, if it is there."""
        while (done := await progress.get()) is not None:
            if self._load_seconds is None:
                self._load_seconds = 0.0
                yield self._load_step("start")
            yield self._load_step("progress", progress=done)

    async def _converse(self) -> AsyncGenerator[Step, None]:
        loop = converse(self._services.generations, self._generation(), self._toolbox)
        async with aclosing(loop) as events:
            async for event in events:
                self._thread.take(event)
                for step in self._writer.write(event):
                    yield step

    def _load_step(self, what: str, **facts: float) -> Step:
        head = {"type": f"model_load.{what}", "model_instance_id": self._target.identifier}
        return {**head, **facts}

    def _generation(self) -> GenerationRequest:
        request = self._request
        return GenerationRequest(
            model=self._target.identifier,
            messages=self._thread.messages(),
            messages_field="input",
            sampling=request.sampling(),
            max_tokens=token_limit(request.max_output_tokens),
            stop=request.stops,
            ignore_eos=request.ignore_eos,
            response_format=request.wanted_format(),
            template_kwargs={**self._thinking(), **request.chat_template_kwargs},
            ttl=request.ttl,
        )

    def _thinking(self) -> dict[str, Any]:
        """What `GET api/v1/models` calls the default, unless something else is asked for."""
        options = reasoning_options(self._target.record.info)
        choice = self._request.reasoning or (options.default if options else None)
        if choice in ("on", "off"):
            return {"enable_thinking": choice == "on"}
        return thinking_variables(choice)


def _release(load: asyncio.Future[LoadedModel]) -> None:
    """The model may go; if it never came, nobody waits for it here."""
    if not load.done():
        load.cancel()
    elif not load.cancelled() and load.exception() is None:
        load.result().uses.leave()


def _check_reasoning(request: NativeChatRequest, target: Target) -> None:
    if request.reasoning is None:
        return
    options = reasoning_options(target.record.info)
    allowed = options.allowed if options else ()
    if request.reasoning not in allowed:
        can = f"It supports: {', '.join(allowed)}." if allowed else "It does not reason."
        raise InvalidRequest(
            f"The model '{target.record.id}' does not support the reasoning setting "
            f"'{request.reasoning}'. {can}",
            param="reasoning",
            code="unsupported_reasoning",
        )
