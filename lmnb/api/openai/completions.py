"""POST /v1/completions: text or tokens, continued as they are, without a chat template."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Integer
from lmnb.api.openai.answer import answer
from lmnb.api.openai.response_format import FormatFields
from lmnb.api.openai.sampling import (
    INT32,
    INT64,
    NO_LIMIT,
    GenerationFields,
    token_limit,
    unsupported,
)
from lmnb.api.openai.usage import LegacyLogprobs, add_usage, timings_json, usage_json
from lmnb.api.sse import DONE
from lmnb.api.sse import event as sse
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import Finished, GenerationEvent, TextDelta, Usage
from lmnb.service.request import GenerationRequest

__all__ = ["CompletionsHandler"]

encode = msgspec.json.encode
FINISH = {"cancelled": "stop"}
Prompt = str | tuple[int, ...]


def _is_token(value: Any) -> bool:
    return type(value) is int and 0 <= value <= INT32


def _prompts(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        if all(isinstance(one, str) for one in value):
            return tuple(value)
        if all(_is_token(one) for one in value):
            return (tuple(value),)
        if all(isinstance(one, list) and one and all(map(_is_token, one)) for one in value):
            return tuple(tuple(one) for one in value)
    raise PydanticCustomError(
        "prompt_type",
        "should be a string, an array of strings, an array of token ids, or an array of those",
    )


class CompletionRequest(GenerationFields, FormatFields):
    """The body."""

    prompt: Annotated[tuple[Any, ...], BeforeValidator(_prompts)]
    max_tokens: Annotated[Integer, Field(ge=NO_LIMIT, le=INT64)] = 16
    echo: bool = False
    logprobs: Annotated[Integer, Field(ge=0, le=5)] | None = None
    best_of: Annotated[Integer, Field(ge=1, le=128)] | None = None
    suffix: str = ""

    @model_validator(mode="after")
    def _can_be_done(self) -> CompletionRequest:
        if self.suffix:
            raise unsupported("filling in before a suffix", "suffix")
        if self.best_of is not None and self.best_of != self.n:
            raise unsupported("best_of other than n", "best_of")
        if self.echo and self.logprobs is not None:
            raise unsupported("echo with logprobs (of the prompt)", "echo")
        if self.max_tokens == 0:
            raise PydanticCustomError("limit", "should be at least 1", {"field": ("max_tokens",)})
        return self

    def choices(self) -> list[GenerationRequest]:
        """One request for each prompt and each of its `n` choices, in the order of `index`."""
        return [
            GenerationRequest(
                model=self.model,
                text=prompt if isinstance(prompt, str) else None,
                tokens=None if isinstance(prompt, str) else prompt,
                sampling=self.sampling(choice),
                max_tokens=token_limit(self.max_tokens),
                stop=self.stops,
                logprobs=self.logprobs,
                ignore_eos=self.ignore_eos,
                response_format=self.wanted_format(),
                ttl=self.ttl,
            )
            for prompt in self.prompt
            for choice in range(self.n)
        ]


class CompletionsHandler(ApiHandler):
    """Plain completion, streamed or not."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(CompletionRequest)
        echoed = await self._echoed(request) if request.echo else [""] * len(request.prompt)
        writer = CompletionWriter(request, echoed)
        await answer(self, request.choices(), writer, stream=request.stream)

    async def _echoed(self, request: CompletionRequest) -> list[str]:
        """The prompts as text."""
        if all(isinstance(prompt, str) for prompt in request.prompt):
            return list(request.prompt)
        model = await self.services.manager.get(request.model)
        return [await model.engine.detokenize(prompt) for prompt in request.prompt]


class CompletionWriter:
    """Writes events as text completions: chunks of a stream, or one whole answer."""

    def __init__(self, request: CompletionRequest, echoed: list[str]) -> None:
        self._n = request.n
        self._with_logprobs = request.logprobs is not None
        self._include_usage = request.stream_options.include_usage
        self._echoed = [text for text in echoed for _ in range(self._n)]
        self._text = [[text] for text in self._echoed]
        self._tokens: list[list[TokenLogprob]] = [[] for _ in self._echoed]
        self._logprobs = [LegacyLogprobs() for _ in self._echoed]
        self._finished: dict[int, Finished] = {}
        self._head: dict[str, Any] = {}
        self._frames: list[tuple[bytes, bytes]] = []

    def begin(self, model: str, prompt_tokens: int) -> None:
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        mark = "\0"
        for index in range(len(self._text)):
            before, after = self._chunk(index, mark).split(encode(mark))
            self._frames.append((before, after))

    # -- streamed

    def opening(self, index: int) -> bytes:
        text = self._echoed[index]
        return self._chunk(index, text) if text else b""

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is TextDelta:
            if self._with_logprobs and event.logprobs:
                logprobs = self._logprobs[index].write(event.logprobs)
                return self._chunk(index, event.text, logprobs=logprobs)
            if not event.text:
                return b""
            before, after = self._frames[index]
            return before + encode(event.text) + after
        if type(event) is Finished:
            self._finished[index] = event
            reason = FINISH.get(event.reason, event.reason)
            return self._chunk(index, "", reason=reason, timings=timings_json(event))
        return b""

    def closing(self) -> bytes:
        if not self._include_usage:
            return DONE
        last = {"choices": [], "usage": usage_json(self._usage())}
        return sse({**self._head, **last, "timings": timings_json(self._finished[0])}) + DONE

    def _chunk(
        self,
        index: int,
        text: str,
        *,
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
        timings: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._head, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        if timings is not None:
            chunk["timings"] = timings
        return sse(chunk)

    # -- whole

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, TextDelta):
            self._text[index].append(event.text)
            self._tokens[index].extend(event.logprobs)
        elif isinstance(event, Finished):
            self._finished[index] = event

    def whole(self) -> dict[str, Any]:
        return {
            **self._head,
            "choices": [self._choice(index) for index in range(len(self._text))],
            "usage": usage_json(self._usage()),
            "timings": timings_json(self._finished[0]),
        }

    def _choice(self, index: int) -> dict[str, Any]:
        tokens = self._tokens[index]
        reason = self._finished[index].reason
        return {
            "text": "".join(self._text[index]),
            "index": index,
            "logprobs": self._logprobs[index].write(tokens) if self._with_logprobs else None,
            "finish_reason": FINISH.get(reason, reason),
        }

    def _usage(self) -> Usage:
        return add_usage((i // self._n, one.usage) for i, one in self._finished.items())
