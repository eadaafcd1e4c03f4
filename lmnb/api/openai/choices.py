"""What chat and text completions have in common: choices, each written as it comes or as a whole."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.completion_request import CompletionRequest
from lmnb.api.openai.fingerprint import fingerprint
from lmnb.api.openai.timings import Stopwatch
from lmnb.api.openai.usage import Figures, token_number, token_text, usage_json
from lmnb.api.sse import DONE
from lmnb.api.sse import event as sse
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import (
    Finished,
    GenerationEvent,
    Progress,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from lmnb.service.generation import Generation

__all__ = ["ChoicesWriter"]

encode = msgspec.json.encode
Json = dict[str, Any]
FINISH = {"cancelled": "stop"}


class ChoicesWriter(ABC):
    """Writes events as completions: chunks of a stream, or one whole answer."""

    prefix: ClassVar[str]
    """What ids begin with."""
    chunk_object: ClassVar[str]
    whole_object: ClassVar[str]
    end: ClassVar[Json]
    """What the last chunk of a choice says."""

    def __init__(
        self, count: int, request: ChatRequest | CompletionRequest, figures: Figures
    ) -> None:
        self._wants_logprobs = request.wants_logprobs
        self._wants_ids = request.return_token_ids
        self._include_usage = request.stream_options.include_usage
        self._counts = self._include_usage and request.stream_options.continuous_usage_stats
        self._shows_progress = request.return_progress
        self._shows_timings = request.timings_per_token
        self._watches = [Stopwatch() for _ in range(count)]
        self._token_name = token_number if request.return_tokens_as_token_ids else token_text
        self._figures = figures
        self._generations: Sequence[Generation] = ()
        self._text: list[list[str]] = [[] for _ in range(count)]
        self._tokens: list[list[TokenLogprob]] = [[] for _ in range(count)]
        self._thoughts: list[list[TokenLogprob]] = [[] for _ in range(count)]
        self._finished: dict[int, Finished] = {}
        self._head: Json = {}
        self._frames: list[tuple[bytes, bytes]] = []

    @abstractmethod
    def said(self, text: str) -> Json:
        """A piece of text, as a chunk's choice has it."""

    @abstractmethod
    def logprobs(self, index: int, tokens: Sequence[TokenLogprob]) -> Json:
        """Of the next tokens of a choice."""

    @abstractmethod
    def choices(self) -> list[Json]:
        """Of the whole answer."""

    @abstractmethod
    def usage(self) -> Usage:
        """Of all choices."""

    def reason(self, index: int) -> str:
        """Why a choice ended."""
        reason = self._finished[index].reason
        return FINISH.get(reason, reason)

    def begin(self, generations: Sequence[Generation]) -> None:
        self._generations, generation = generations, generations[0]
        self._model = generation.loaded
        self._head |= {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": generation.model,
            "system_fingerprint": fingerprint(generation.loaded),
        }
        # A plain token is the common chunk: everything around its text is made once.
        mark = "\0"
        for index in range(len(self._text)):
            before, after = self.write(index, self.said(mark)).split(encode(mark))
            self._frames.append((before, after))

    # -- streamed

    @abstractmethod
    def opening(self, index: int) -> bytes:
        """The first chunk of a choice, if there is something to say."""

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is TextDelta:
            detailed = self._counts or self._shows_timings
            if detailed or (event.logprobs and (self._wants_logprobs or self._wants_ids)):
                return self.tokens(index, self.said(event.text), event)
            if not event.text:
                return b""
            before, after = self._frames[index]
            return before + encode(event.text) + after
        if type(event) is Progress:
            if self._generations[index].completion_tokens:  # it had made room, and is read again
                return b""
            done = self._watches[index].reads(event)
            return self.write(index, self.end, **done) if self._shows_progress else b""
        if type(event) is Finished:
            self._finished[index] = event
            figures = self._figures(self._model, event)
            return self.write(index, self.end, reason=self.reason(index), **figures)
        return b""

    def tokens(self, index: int, said: Json, event: TextDelta | ReasoningDelta) -> bytes:
        """A chunk that says more of its tokens than their text."""
        logprobs = None
        if event.logprobs and self._wants_logprobs and type(event) is TextDelta:
            logprobs = self.logprobs(index, event.logprobs)
        return self.write(index, {**said, **self.ids(event.logprobs)}, logprobs=logprobs)

    def ids(self, tokens: Sequence[TokenLogprob]) -> Json:
        """Of these tokens, if they were asked for."""
        return {"token_ids": [one.token for one in tokens]} if self._wants_ids else {}

    def closing(self) -> bytes:
        if not self._include_usage:
            return DONE
        return sse({**self._head, "object": self.chunk_object, "choices": []} | self._sums()) + DONE

    def write(
        self,
        index: int,
        said: Json,
        *,
        logprobs: Json | None = None,
        reason: str | None = None,
        **figures: Any,
    ) -> bytes:
        """A chunk."""
        choice = {"index": index, **said, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._head, "object": self.chunk_object, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = self._so_far(index) if self._counts else None
        if self._shows_timings:
            written = self._generations[index].completion_tokens
            if so_far := self._watches[index].timings(written):
                chunk["timings"] = so_far
        return sse({**chunk, **figures})

    def _so_far(self, index: int) -> Json:
        generation = self._generations[index]
        prompt, completion = generation.prompt_tokens, generation.completion_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    # -- whole

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, ReasoningDelta):
            self._thoughts[index].extend(event.logprobs)
        elif isinstance(event, TextDelta):
            self._text[index].append(event.text)
            self._tokens[index].extend(event.logprobs)
        elif isinstance(event, Finished):
            self._finished[index] = event

    def whole(self) -> Json:
        return {
            **self._head,
            "object": self.whole_object,
            "choices": self.choices(),
            **self._sums(),
        }

    def _sums(self) -> Json:
        return {
            "usage": usage_json(self.usage()),
            **self._figures(self._model, self._finished[0]),
        }
