"""What chat and text completions have in common: choices, each written as it comes or as a whole."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from lmnb.api.openai.fingerprint import fingerprint
from lmnb.api.openai.usage import Figures, usage_json
from lmnb.api.sse import DONE
from lmnb.api.sse import event as sse
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import Finished, GenerationEvent, TextDelta, Usage
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
        self, count: int, *, logprobs: bool, include_usage: bool, figures: Figures
    ) -> None:
        self._wants_logprobs = logprobs
        self._include_usage = include_usage
        self._figures = figures
        self._text: list[list[str]] = [[] for _ in range(count)]
        self._tokens: list[list[TokenLogprob]] = [[] for _ in range(count)]
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

    def begin(self, generation: Generation) -> None:
        self._model = generation.loaded
        self._head = {
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
            if event.logprobs and self._wants_logprobs:
                logprobs = self.logprobs(index, event.logprobs)
                return self.write(index, self.said(event.text), logprobs=logprobs)
            if not event.text:
                return b""
            before, after = self._frames[index]
            return before + encode(event.text) + after
        if type(event) is Finished:
            self._finished[index] = event
            figures = self._figures(self._model, event)
            return self.write(index, self.end, reason=self.reason(index), **figures)
        return b""

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
            chunk["usage"] = None
        return sse({**chunk, **figures})

    # -- whole

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, TextDelta):
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
