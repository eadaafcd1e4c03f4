"""GET /api/v1/log: what LM Studio's `log stream` shows, in its shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio.v0.figures import STOP_REASONS, tokens_per_second
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse
from lmnb.errors import InvalidRequest
from lmnb.service.events import Finished
from lmnb.service.log import (
    Answered,
    EngineSaid,
    Entry,
    Kind,
    Prompted,
    Requested,
    Source,
    Wanted,
)

__all__ = ["LogHandler"]


class LogHandler(ApiHandler):
    """What is remembered, or with `?stream=true` what happens from now on. Following keeps no
    server awake. Whoever may read this reads what others ask: hence the permission."""

    @endpoint(needs="manage")
    async def get(self) -> None:
        wanted = Wanted(
            sources=cast(Sequence[Source], self._choice("source", get_args(Source))),
            kinds=cast(Sequence[Kind], self._choice("filter", get_args(Kind))),
            model=self.get_query_argument("model", None),
        )
        if self._flag("stream"):
            await self._follow(wanted)
        else:
            entries = self.services.log.recent(wanted)
            self.reply({"log": [describe(entry) for entry in entries]})

    async def _follow(self, wanted: Wanted) -> None:
        async with EventStream(self) as events:
            events.comment("listening")
            with self.services.log.follow(wanted) as follower:
                async for entry in follower:
                    if follower.missed:
                        events.comment(f"missed {follower.missed}")
                        follower.missed = 0
                    events.send(sse(describe(entry)))
                    await events.ready()

    def _choice(self, name: str, known: Sequence[str]) -> Sequence[str]:
        """Words between commas. All of them where nothing is said."""
        text = self.get_query_argument(name, None)
        words = known if text is None else [word.strip() for word in text.split(",")]
        for word in words:
            if word not in known:
                options = "', '".join(known)
                raise InvalidRequest(f"'{name}' takes '{options}', not {word!r}.", param=name)
        return words

    def _flag(self, name: str) -> bool:
        text = self.get_query_argument(name, "false")
        if text not in ("true", "false"):
            raise InvalidRequest(f"'{name}' takes true or false, not {text!r}.", param=name)
        return text == "true"


def describe(entry: Entry) -> dict[str, Any]:
    """LM Studio's log event: milliseconds since 1970, and what happened."""
    return {"timestamp": round(entry.time * 1000), "data": _data(entry)}


def _data(entry: Entry) -> dict[str, Any]:
    match entry.what:
        case Requested() as request:
            milliseconds = round(request.seconds * 1000, 1)
            return {
                "type": "server.log",
                "level": "info" if request.status < 400 else "error",
                "content": f"{request.status} {request.method} {request.path} "
                f"{milliseconds} ms ({request.caller})",
                "method": request.method,
                "path": request.path,
                "status": request.status,
                "milliseconds": milliseconds,
                "caller": request.caller,
            }
        case Prompted() as prompt:
            return {
                "type": "llm.prediction.input",
                "modelIdentifier": prompt.model,
                "modelPath": prompt.path,
                "input": prompt.text,
            }
        case Answered() as answer:
            return {
                "type": "llm.prediction.output",
                "modelIdentifier": answer.model,
                "output": answer.text,
                "stats": _stats(answer.finished),
            }
        case EngineSaid() as line:
            return {
                "type": "runtime.log",
                "engineName": "llama.cpp",
                "modelIdentifier": line.model,
                "pid": line.pid,
                "message": line.text,
            }


def _stats(finished: Finished | None) -> dict[str, Any]:
    if finished is None:
        return {"stopReason": STOP_REASONS["cancelled"]}
    called = finished.reason == "tool_calls"
    return {
        "stopReason": "toolCalls" if called else STOP_REASONS[finished.detail],
        "tokensPerSecond": tokens_per_second(finished),
        "timeToFirstTokenSec": round(finished.timings.first_token, 6),
        "promptTokensCount": finished.usage.prompt_tokens,
        "predictedTokensCount": finished.usage.completion_tokens,
        "totalTokensCount": finished.usage.total_tokens,
    }
