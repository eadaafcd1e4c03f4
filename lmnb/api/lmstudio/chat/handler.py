"""POST /api/v1/chat, streamed or not."""

from __future__ import annotations

from contextlib import aclosing

from lmnb.api.base import endpoint
from lmnb.api.lmstudio.chat.request import NativeChatRequest
from lmnb.api.lmstudio.chat.run import ChatRun
from lmnb.api.lmstudio.errors import NativeHandler
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse

__all__ = ["NativeChatHandler"]


class NativeChatHandler(NativeHandler):
    @endpoint
    async def post(self) -> None:
        request = await self.read(NativeChatRequest)
        run = await ChatRun.prepare(self.services, request)
        with self.services.activity.busy():
            if request.stream:
                await self._stream(run)
            else:
                async with aclosing(run.steps()) as steps:
                    async for _ in steps:
                        pass
                self.reply(run.result)

    async def _stream(self, run: ChatRun) -> None:
        async with EventStream(self) as events, aclosing(run.stream()) as steps:
            async for step in steps:
                events.send(sse(step, step["type"]))
                await events.ready()
