"""An engine that says what a test tells it to: no model, no process, no waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lmnb.engine.events import (
    Accepted,
    Alternative,
    Delta,
    EngineStatus,
    Finished,
    ModelFacts,
    Prefill,
    SequenceEvent,
    Timings,
    TokenLogprob,
)
from lmnb.engine.options import EngineRequest, LoadOptions
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
        )

    def submit(self, request: EngineRequest) -> ScriptedStream:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        stream = ScriptedStream(script, request)
        self.streams.append(stream)
        self.submitted.set()
        return stream

    async def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        return list(text.encode())

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode()

    async def status(self) -> EngineStatus:
        running = sum(not stream.ended for stream in self.streams)
        numbers = dict.fromkeys(EngineStatus.__struct_fields__, 0)
        return EngineStatus(**{**numbers, "running": running})

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
        yield Accepted(1, script.prompt_tokens)
        for done in script.prefill:
            yield Prefill(1, done, script.prompt_tokens, script.cached_tokens)
        said = 0
        for text in self._texts(script):
            await self._pause(script.hold)
            if self._error:
                raise self._error
            if self.cancelled.is_set() or said == request.max_tokens:
                break
            said += 1
            yield Delta(1, text, said, _logprobs(text, request.logprobs))
        if script.fail:
            raise script.fail
        self.ended = True
        limited = said == request.max_tokens
        yield Finished(
            id=1,
            reason="length" if limited else script.reason,  # type: ignore[arg-type]
            text="",
            prompt_tokens=script.prompt_tokens,
            cached_tokens=script.cached_tokens,
            completion_tokens=said,
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


def _logprobs(text: str, wanted: int | None) -> tuple[TokenLogprob, ...]:
    if wanted is None:
        return ()
    top = tuple(Alternative(text.encode(), -0.5 - n, n) for n in range(wanted))
    return (TokenLogprob(text.encode(), -0.5, 0, top),)


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
