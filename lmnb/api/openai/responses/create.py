"""POST /v1/responses, and the WebSocket at the same place."""

from __future__ import annotations

from contextlib import aclosing

from lmnb.api.base import endpoint
from lmnb.api.openai.responses.background import Background
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.run import Run
from lmnb.api.openai.responses.sse import send_events
from lmnb.api.openai.responses.websocket import ResponsesSocket

__all__ = ["ResponsesHandler"]


class ResponsesHandler(ResponsesSocket):
    """Plain, streamed or in the background. GET opens the WebSocket."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ResponseRequest)
        run = Run(self.services, request)
        await run.prepare()
        if request.background:
            await self._in_background(run)
        else:
            with self.services.activity.busy():
                await self._in_foreground(run)

    async def _in_foreground(self, run: Run) -> None:
        if run.request.stream:
            await run.begin_soon()
            await send_events(self, run.stream())
            return
        await run.begin()
        async with aclosing(run.events()) as events:
            async for _ in events:
                pass
        self.reply(run.resource)

    async def _in_background(self, run: Run) -> None:
        await self._check_model(run.request.model)
        await run.save(unfinished=True)
        background = Background(run)
        if run.request.stream:
            await send_events(self, background.follow())
        else:
            self.reply(run.resource)

    async def _check_model(self, name: str) -> None:
        """An unknown model is refused at once."""
        manager = self.services.manager
        if all(model.id != name for model in manager.loaded()):
            await manager.find(name)
