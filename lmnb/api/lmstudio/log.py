"""GET /api/v1/log: what LM Studio's `log stream` shows, in its shapes."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio.v0.figures import STOP_REASONS, tokens_per_second
from lmnb.api.query import Query, parse_query
from lmnb.api.sse import EventStream
from lmnb.api.sse import event as sse
from lmnb.service.events import Finished
from lmnb.service.log import Answered, EngineSaid, Entry, Kind, Prompted, Requested, Source, Wanted

__all__ = ["LogHandler", "LogQuery"]


def _split(value: object) -> object:
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


class LogQuery(Query):
    """Several words stand between commas."""

    source: Annotated[list[Source], BeforeValidator(_split)] = list(get_args(Source))
    filter: Annotated[list[Kind], BeforeValidator(_split)] = list(get_args(Kind))
    model: str | None = None
    stream: bool = False


class LogHandler(ApiHandler):
    """What is remembered, or with `?stream=true` what happens from now on. Following keeps no
    server awake. Whoever may read this reads what others ask: hence the permission."""

    @endpoint(needs="manage")
    async def get(self) -> None:
        asked = parse_query(self, LogQuery)
        wanted = Wanted(asked.source, asked.filter, asked.model)
        if asked.stream:
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
