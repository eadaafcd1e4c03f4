"""POST /v1/completions: text or tokens, continued as they are, without a chat template."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer
from lmnb.api.openai.completion_request import CompletionRequest
from lmnb.api.openai.legacy_logprobs import LegacyLogprobs, mean_logprob
from lmnb.api.openai.usage import Figures, add_usage, timings, usage_json
from lmnb.api.sse import DONE
from lmnb.api.sse import event as sse
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import Finished, GenerationEvent, PromptScored, TextDelta, Usage
from lmnb.service.generation import Generation

__all__ = ["CompletionsHandler"]

encode = msgspec.json.encode
FINISH = {"cancelled": "stop"}


class CompletionsHandler(ApiHandler):
    """Plain completion, streamed or not."""

    figures: Figures = staticmethod(timings)

    @endpoint
    async def post(self) -> None:
        request = await self.read(CompletionRequest)
        echoed = await self._echoed(request) if request.echo else [""] * len(request.prompt)
        writer = CompletionWriter(request, echoed, self.figures)
        await answer(self, request.choices(), writer, stream=request.stream)

    async def _echoed(self, request: CompletionRequest) -> list[str]:
        """The prompts as text."""
        if all(isinstance(prompt, str) for prompt in request.prompt):
            return list(request.prompt)
        model = await self.services.manager.get(request.model)
        return [await model.engine.detokenize(prompt) for prompt in request.prompt]


class CompletionWriter:
    """Writes events as text completions: chunks of a stream, or one whole answer."""

    def __init__(self, request: CompletionRequest, echoed: list[str], figures: Figures) -> None:
        self._figures = figures
        self._n = request.n
        self._candidates = request.candidates
        self._scores_prompt = request.scores_prompt
        self._with_logprobs = request.logprobs is not None
        self._include_usage = request.stream_options.include_usage
        self._echoed = [text for text in echoed for _ in range(self._candidates)]
        self._text = [[text] for text in self._echoed]
        self._given = [prompt for prompt in request.prompt for _ in range(self._candidates)]
        self._prompts: dict[int, tuple[TokenLogprob, ...]] = {}
        self._tokens: list[list[TokenLogprob]] = [[] for _ in self._echoed]
        self._logprobs = [LegacyLogprobs() for _ in self._echoed]
        self._finished: dict[int, Finished] = {}
        self._head: dict[str, Any] = {}
        self._frames: list[tuple[bytes, bytes]] = []

    def begin(self, generation: Generation) -> None:
        self._model = generation.loaded
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": generation.model,
        }
        mark = "\0"
        for index in range(len(self._text)):
            before, after = self._chunk(index, mark).split(encode(mark))
            self._frames.append((before, after))

    # -- streamed

    def opening(self, index: int) -> bytes:
        text = self._echoed[index]
        return self._chunk(index, text) if text and not self._scores_prompt else b""

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is TextDelta:
            if self._with_logprobs and event.logprobs:
                logprobs = self._logprobs[index].write(event.logprobs)
                return self._chunk(index, event.text, logprobs=logprobs)
            if not event.text:
                return b""
            before, after = self._frames[index]
            return before + encode(event.text) + after
        if type(event) is PromptScored:
            logprobs = self._prompt_arrays(index, event.tokens)
            return self._chunk(index, self._echoed[index], logprobs=logprobs)
        if type(event) is Finished:
            self._finished[index] = event
            reason = FINISH.get(event.reason, event.reason)
            return self._chunk(index, "", reason=reason, **self._figures(self._model, event))
        return b""

    def closing(self) -> bytes:
        if not self._include_usage:
            return DONE
        last = {"choices": [], "usage": usage_json(self._usage())}
        return sse({**self._head, **last, **self._figures(self._model, self._finished[0])}) + DONE

    def _chunk(
        self,
        index: int,
        text: str,
        *,
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
        **figures: Any,
    ) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._head, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return sse({**chunk, **figures})

    # -- whole

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, TextDelta):
            self._text[index].append(event.text)
            self._tokens[index].extend(event.logprobs)
        elif isinstance(event, PromptScored):
            self._prompts[index] = event.tokens
        elif isinstance(event, Finished):
            self._finished[index] = event

    def whole(self) -> dict[str, Any]:
        return {
            **self._head,
            "choices": [self._choice(*numbered) for numbered in enumerate(self._best())],
            "usage": usage_json(self._usage()),
            **self._figures(self._model, self._finished[0]),
        }

    def _best(self) -> list[int]:
        """The `n` best candidates of each prompt, those with the likeliest tokens first."""
        if self._candidates == self._n:
            return list(range(len(self._text)))
        chances = [mean_logprob(tokens) for tokens in self._tokens]
        best: list[int] = []
        for first in range(0, len(chances), self._candidates):
            ranked = range(first, first + self._candidates)
            best += sorted(ranked, key=lambda index: -chances[index])[: self._n]
        return best

    def _choice(self, number: int, index: int) -> dict[str, Any]:
        reason = self._finished[index].reason
        return {
            "text": "".join(self._text[index]),
            "index": number,
            "logprobs": self._arrays(index) if self._with_logprobs else None,
            "finish_reason": FINISH.get(reason, reason),
        }

    def _arrays(self, index: int) -> dict[str, Any]:
        prompt = self._prompt_arrays(index, self._prompts.get(index, ()))
        answer = self._logprobs[index].write(self._tokens[index])
        return {name: prompt[name] + answer[name] for name in answer}

    def _prompt_arrays(self, index: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        given = self._given[index]
        return self._logprobs[index].prompt(tokens, given if isinstance(given, str) else None)

    def _usage(self) -> Usage:
        return add_usage((i // self._candidates, one.usage) for i, one in self._finished.items())
