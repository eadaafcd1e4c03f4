"""An engine that says what a test tells it to: no model, no process, no waiting."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lmnb.engine.events import (
    Accepted,
    Alternative,
    Delta,
    Embedded,
    EngineStatus,
    Finished,
    ModelFacts,
    Prefill,
    Scored,
    SequenceEvent,
    Timings,
    TokenLogprob,
)
from lmnb.engine.options import EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.errors import LmnbError, ServiceClosed

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass
class Script:
    """What one sequence does. Each of `texts` is one token."""

    texts: Sequence[str] = ("Hello", ", ", "world", "!")
    refuse: LmnbError | None = None
    """Raised instead of accepting the prompt."""
    fail: LmnbError | Exception | None = None
    """Raised after the texts."""
    reason: str = "stop"
    stop_string: str | None = None
    chance: float = -0.5
    """Each token's log-probability."""
    prefill: Sequence[int] = ()
    """Prompt tokens read, step by step, of `prompt_tokens`."""
    prompt_tokens: int = 7
    cached_tokens: int = 3
    hold: asyncio.Event | None = None
    """Waited for before each text."""
    forever: bool = False
    """Say the texts again and again until cancelled."""


@dataclass
class ScriptedEngine:
    """Implements `lmnb.engine.Engine`. `scripts` are taken in order, the last one for ever."""

    scripts: list[Script] = field(default_factory=lambda: [Script()])
    options: LoadOptions = field(default_factory=LoadOptions)
    chat_template: str | None = TEMPLATE
    alive: bool = True
    pid: int | None = None
    requests: list[EngineRequest] = field(default_factory=list)
    submitted: asyncio.Event = field(default_factory=asyncio.Event)
    streams: list[ScriptedStream] = field(default_factory=list)
    embedding_length: int = 16
    vision: bool = False
    embeds: list[EmbedRequest | RerankRequest] = field(default_factory=list)
    embed_cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(
            description="scripted",
            architecture="llama",
            size_bytes=1,
            parameters=1,
            n_vocab=256,
            n_layers=1,
            train_context=2048,
            context_length=self.options.context_length or 2048,
            slots=self.options.slots,
            batch_size=self.options.batch_size,
            micro_batch_size=self.options.micro_batch_size,
            threads=1,
            gpu_layers=0,
            kv_unified=True,
            flash_attention=True,
            chat_template=self.chat_template,
            templates={},
            bos="<s>",
            eos="</s>",
            add_bos=False,
            special_tokens=("<|im_start|>", "<|im_end|>"),
            metadata={},
            load_seconds=0.5,
            llama_cpp="scripted",
            vision=self.vision,
        )

    def submit(self, request: EngineRequest) -> ScriptedStream:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        stream = ScriptedStream(script, request)
        self.streams.append(stream)
        self.submitted.set()
        return stream

    async def embed(self, request: EmbedRequest) -> Embedded:
        """The vector of a text counts its bytes, modulo `embedding_length`; of length 1."""
        self.embeds.append(request)
        await self._vectors()
        size = self.embedding_length
        rows = []
        for one in request.inputs:
            row = [0.0] * size
            for number in one.encode() if isinstance(one, str) else one:
                row[number % size] += 1
            row = row[: request.dimensions]
            length = math.hypot(*row) or 1.0
            rows.extend(number / length for number in row)
        return Embedded(1, array("f", rows).tobytes(), tuple(map(len, request.inputs)))

    async def rerank(self, request: RerankRequest) -> Embedded:
        """The share of the query's characters that the document has."""
        self.embeds.append(request)
        await self._vectors()
        wanted = set(request.query)
        scores = array("f", [len(wanted & set(d)) / len(wanted) for d in request.documents])
        return Embedded(1, scores.tobytes(), tuple(map(len, request.documents)))

    async def _vectors(self) -> None:
        script = self.scripts[0]
        if script.refuse:
            raise script.refuse
        if script.hold:
            try:
                await script.hold.wait()
            except asyncio.CancelledError:
                self.embed_cancelled.set()
                raise

    async def tokenize(
        self,
        text: str,
        *,
        add_special: bool,
        parse_special: bool,
        plain: tuple[tuple[int, int], ...] = (),
    ) -> list[int]:
        return list(text.encode())

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        return [bytes([token]) for token in tokens]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode()

    async def count(self, request: EngineRequest) -> int:
        """A token for each byte of text, and ten for a picture."""
        return sum(len(s.text.encode()) if s.image is None else 10 for s in request.prompt)

    async def status(self) -> EngineStatus:
        running = [stream for stream in self.streams if not stream.ended]
        numbers = dict.fromkeys(EngineStatus.__struct_fields__, 0)
        numbers["running"] = len(running)
        numbers["reading"] = sum(not stream.said for stream in running)
        return EngineStatus(**numbers)

    async def close(self) -> None:
        self.die(ServiceClosed("The model was unloaded."))

    def die(self, error: LmnbError) -> None:
        """Fail everything that runs."""
        self.alive = False
        for stream in self.streams:
            stream.fail(error)


class ScriptedStream:
    """The events of one script."""

    def __init__(self, script: Script, request: EngineRequest) -> None:
        self.cancelled = asyncio.Event()
        self.ended = False
        self.said = 0
        self._error: LmnbError | None = None
        self._events = self._play(script, request)

    def __aiter__(self) -> AsyncIterator[SequenceEvent]:
        return self._events

    def cancel(self) -> None:
        self.ended = True
        self.cancelled.set()

    def fail(self, error: LmnbError) -> None:
        self._error = error
        self.cancelled.set()

    async def _play(self, script: Script, request: EngineRequest) -> AsyncIterator[SequenceEvent]:
        if script.refuse:
            raise script.refuse
        ids = tuple(range(script.prompt_tokens)) if request.rules.ids else ()
        yield Accepted(1, script.prompt_tokens, ids)
        for done in script.prefill:
            yield Prefill(1, done, script.prompt_tokens, script.cached_tokens)
        if request.score_prompt:
            yield Scored(1, _scores(request))
        for text in self._texts(script):
            await self._pause(script.hold)
            if self._error:
                raise self._error
            if self.cancelled.is_set() or self.said == request.max_tokens:
                break
            self.said += 1
            yield Delta(1, text, self.said, _logprobs(text, request.logprobs, script.chance))
        if script.fail:
            raise script.fail
        self.ended = True
        limited = self.said == request.max_tokens
        yield Finished(
            id=1,
            reason="length" if limited else script.reason,  # type: ignore[arg-type]
            text="",
            prompt_tokens=script.prompt_tokens,
            cached_tokens=script.cached_tokens,
            completion_tokens=self.said,
            timings=Timings(queue=0.001, prefill=0.02, decode=0.1, first_token=0.03),
            seed=request.sampling.seed or 0,
            stop_string=script.stop_string,
        )

    def _texts(self, script: Script) -> Iterable[str]:
        while True:
            yield from script.texts
            if not script.forever:
                return

    async def _pause(self, hold: asyncio.Event | None) -> None:
        """Let others run; wait for `hold` or the end."""
        if hold is None:
            return await asyncio.sleep(0)
        waits = [asyncio.ensure_future(event.wait()) for event in (hold, self.cancelled)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _scores(request: EngineRequest) -> tuple[TokenLogprob, ...]:
    """A token for each byte, after a BOS if the prompt is text, as an engine has it."""
    text = "".join(span.text for span in request.prompt)
    tokens = [b"<s>"] if text else []
    tokens += [bytes([byte]) for byte in text.encode() or bytes(request.prompt_tokens)]
    chances = [math.nan, *[-1.0] * (len(tokens) - 1)]
    return tuple(
        TokenLogprob(data, chance, 0, (Alternative(b"?", -0.25, 1),) * (request.logprobs or 0))
        for data, chance in zip(tokens, chances, strict=True)
    )


def _logprobs(text: str, wanted: int | None, chance: float) -> tuple[TokenLogprob, ...]:
    if wanted is None:
        return ()
    top = tuple(Alternative(text.encode(), chance - n, n) for n in range(wanted))
    return (TokenLogprob(text.encode(), chance, ord(text[0]), top),)


@dataclass
class ScriptedFactory:
    """Implements `lmnb.engine.EngineFactory`. Gives `engine` each time, alive again."""

    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    fail: LmnbError | None = None
    steps: Sequence[float] = (0.5, 1.0)
    loads: list[tuple[str, LoadOptions]] = field(default_factory=list)

    async def __call__(
        self, path: str, options: LoadOptions, progress: Callable[[float], None] = lambda _: None
    ) -> ScriptedEngine:
        self.loads.append((path, options))
        for step in self.steps:
            progress(step)
            await asyncio.sleep(0)
        if self.fail:
            raise self.fail
        self.engine.options, self.engine.alive = options, True
        return self.engine
