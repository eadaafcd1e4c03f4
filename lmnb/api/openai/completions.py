"""POST /v1/completions: text or tokens, continued as they are, without a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.answer import answer
from lmnb.api.openai.choices import ChoicesWriter
from lmnb.api.openai.completion_request import CompletionRequest
from lmnb.api.openai.legacy_logprobs import LegacyLogprobs, mean_logprob
from lmnb.api.openai.timings import timings
from lmnb.api.openai.usage import Figures, add_usage
from lmnb.engine.events import TokenLogprob
from lmnb.service.events import GenerationEvent, PromptScored, Usage

__all__ = ["CompletionsHandler"]


class CompletionsHandler(ApiHandler):
    """Plain completion, streamed or not."""

    figures: Figures = staticmethod(timings)

    @endpoint
    async def post(self) -> None:
        request = await self.read(CompletionRequest)
        writer = CompletionWriter(request, self.figures)
        await answer(self, await self.make(request.choices), writer, stream=request.stream)


class CompletionWriter(ChoicesWriter):
    """Choices are texts: the prompt's echo, if that is asked for, and what follows it."""

    prefix = "cmpl"
    chunk_object = whole_object = "text_completion"
    end: ClassVar[dict[str, Any]] = {"text": ""}

    def __init__(self, request: CompletionRequest, figures: Figures) -> None:
        self._n = request.n
        self._candidates = request.candidates
        self._scores_prompt = request.scores_prompt
        self._given = [prompt for prompt in request.prompt for _ in range(self._candidates)]
        super().__init__(len(self._given), request, figures)
        self._prompts: dict[int, tuple[TokenLogprob, ...]] = {}
        self._logprobs = [LegacyLogprobs(self._token_name) for _ in self._given]

    def said(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def logprobs(self, index: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        return self._logprobs[index].write(tokens)

    def usage(self) -> Usage:
        return add_usage((i // self._candidates, one.usage) for i, one in self._finished.items())

    def opening(self, index: int) -> bytes:
        text = "" if self._scores_prompt else self._generations[index].echo
        said = {**self.said(text), **self._prompt_ids(index)}
        return self.write(index, said) if text or self._wants_ids else b""

    def chunk(self, index: int, event: GenerationEvent) -> bytes:
        if type(event) is PromptScored:
            logprobs = self._prompt_arrays(index, event.tokens)
            return self.write(index, self.said(self._generations[index].echo), logprobs=logprobs)
        return super().chunk(index, event)

    def collect(self, index: int, event: GenerationEvent) -> None:
        if isinstance(event, PromptScored):
            self._prompts[index] = event.tokens
        else:
            super().collect(index, event)

    def choices(self) -> list[dict[str, Any]]:
        return [self._choice(*numbered) for numbered in enumerate(self._best())]

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
        return {
            "text": self._generations[index].echo + "".join(self._text[index]),
            "index": number,
            "logprobs": self._arrays(index) if self._wants_logprobs else None,
            "finish_reason": self.reason(index),
            **self.ids(self._tokens[index]),
            **self._prompt_ids(index),
        }

    def _prompt_ids(self, index: int) -> dict[str, Any]:
        ids = self._generations[index].prompt_ids
        return {"prompt_token_ids": ids} if self._wants_ids else {}

    def _arrays(self, index: int) -> dict[str, Any]:
        prompt = self._prompt_arrays(index, self._prompts.get(index, ()))
        answer = self._logprobs[index].write(self._tokens[index])
        return {name: prompt[name] + answer[name] for name in answer}

    def _prompt_arrays(self, index: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        given = self._given[index]
        return self._logprobs[index].prompt(tokens, given if isinstance(given, str) else None)
