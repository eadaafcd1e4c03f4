"""One answer while it is written: engine -> parser -> events."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncIterator

from lmnb.chat.deltas import Call, Reasoning
from lmnb.chat.deltas import Delta as Piece
from lmnb.engine import SequenceStream
from lmnb.engine.events import Accepted, Delta, Prefill, Scored, TokenLogprob
from lmnb.engine.events import Finished as EngineFinished
from lmnb.service.constraint import naming_the_field
from lmnb.service.events import (
    Finished,
    FinishReason,
    GenerationEvent,
    Progress,
    PromptScored,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from lmnb.service.instances import LoadedModel
from lmnb.service.log import Answered, Log
from lmnb.service.metrics import RequestMeter
from lmnb.service.prompt import Parser
from lmnb.service.request import GenerationRequest

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "stop_string": "stop",
    "length": "length",
    "context": "length",
    "cancelled": "cancelled",
}


class Generation:
    """One answer while it is written. Iterate it once; `cancel` when the caller is gone. It leaves
    the model, which the caller acquired, when it ends."""

    def __init__(
        self,
        model: LoadedModel,
        request: GenerationRequest,
        stream: SequenceStream,
        parser: Parser | None,
        log: Log,
    ) -> None:
        self.model = model.id
        self.loaded = model
        self.prompt_tokens = self.completion_tokens = 0
        """So far."""
        self.prompt_ids: tuple[int, ...] = ()
        """Where they were asked for."""
        self.echo = ""
        """The prompt as text, where that was asked for."""
        self._request = request
        self._stream = stream
        self._events = aiter(stream)
        self._parser = parser
        self._pending: deque[GenerationEvent] = deque()
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._reasoning_tokens = 0
        self._called = False
        self._open = True
        self._meter = RequestMeter(model.id)
        self._log = log
        self._said: list[str] | None = [] if log.hears("output", model.id) else None

    def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        return self

    async def __anext__(self) -> GenerationEvent:
        while not self._pending:
            if not self._open:
                raise StopAsyncIteration
            try:
                await self._receive()
            except BaseException:
                self.cancel()
                raise
        return self._pending.popleft()

    async def accepted(self) -> None:
        """Wait until the engine has taken the prompt. Raises what makes it refuse."""
        try:
            with naming_the_field(self._request):
                first = await anext(self._events)
            if self._request.echo:
                self.echo = await self._prompt_text()
        except BaseException:
            self.cancel()
            raise
        assert isinstance(first, Accepted)
        self.prompt_tokens, self.prompt_ids = first.prompt_tokens, first.ids

    async def _prompt_text(self) -> str:
        if self._request.tokens is None:
            return self._request.text or ""
        return await self.loaded.engine.detokenize(self._request.tokens)

    def cancel(self) -> None:
        """Stop within one engine step. May be called twice, and after the end."""
        self._stream.cancel()
        self._close()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self.loaded.uses.leave()
            self._meter.abandoned()
            self._report(None)

    async def _receive(self) -> None:
        with naming_the_field(self._request):
            event = await anext(self._events)
        self._meter.computing()
        match event:
            case Delta(_, text, tokens, logprobs):
                self.completion_tokens = tokens
                self._say(text, tokens, logprobs)
            case Prefill(_, done, total, cached, seconds):
                self._pending.append(Progress(done, total, cached, seconds))
            case Scored(_, scores):
                self._pending.append(PromptScored(scores))
            case EngineFinished() as finished:
                self._meter.finished(finished)
                self._end(finished)

    def _report(self, finished: Finished | None) -> None:
        """Once, to those who follow what models say."""
        if self._said is not None:
            self._log.write(Answered(self.model, "".join(self._said), finished))
            self._said = None

    def _say(self, text: str, tokens: int, logprobs: tuple[TokenLogprob, ...]) -> None:
        if self._said is not None:
            self._said.append(text)
        if self._parser is None:
            self._pending.append(TextDelta(text, logprobs))
        else:
            self._express(self._parser.feed(text), tokens, logprobs)

    def _express(
        self,
        pieces: list[Piece],
        tokens: int,
        logprobs: tuple[TokenLogprob, ...],
    ) -> None:
        """Log-probabilities go with the first piece of text that follows their token."""
        waiting = self._logprobs + logprobs
        for piece in pieces:
            if isinstance(piece, Call):
                self._called = True
                self._pending.append(_call_delta(piece))
                continue
            if isinstance(piece, Reasoning):
                self._reasoning_tokens = tokens
                self._pending.append(ReasoningDelta(piece.text, waiting))
            else:
                self._pending.append(TextDelta(piece.text, waiting))
            waiting = ()
        self._logprobs = waiting

    def _end(self, end: EngineFinished) -> None:
        if end.text or end.logprobs:
            self._say(end.text, end.completion_tokens, end.logprobs)
        if self._parser is not None:
            self._express(self._parser.finish(), end.completion_tokens, ())
        if self._logprobs:
            self._pending.append(TextDelta("", self._logprobs))
        reason = _REASONS[end.reason]
        finished = Finished(
            reason="tool_calls" if self._called and reason == "stop" else reason,
            usage=Usage(
                prompt_tokens=end.prompt_tokens,
                cached_tokens=end.cached_tokens,
                completion_tokens=end.completion_tokens,
                reasoning_tokens=self._reasoning_tokens,
            ),
            timings=end.timings,
            detail=end.reason,
            stop_string=end.stop_string,
            seed=end.seed,
            context_length=self.loaded.engine.facts.context_length,
        )
        self._pending.append(finished)
        self._report(finished)
        self._close()


def _call_delta(piece: Call) -> ToolCallDelta:
    id = f"call_{secrets.token_hex(12)}" if piece.name is not None else None
    return ToolCallDelta(piece.index, piece.text, id, piece.name)
