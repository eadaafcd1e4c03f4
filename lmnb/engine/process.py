"""The parent's side of an engine process: an `Engine` to everyone above."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence

from lmnb.engine import protocol
from lmnb.engine.events import Embedded, EngineStatus, Failed, Finished, ModelFacts, SequenceEvent
from lmnb.engine.options import EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.engine.partition import Stretch
from lmnb.engine.pipes import Pipes, open_pipes
from lmnb.engine.pulse import Pulse
from lmnb.engine.spawning import pipe_ends, spawn
from lmnb.engine.stream import ProcessStream, error_named
from lmnb.errors import EngineDied, EngineError, LmnbError, LoadFailed, ServiceClosed

CLOSE_SECONDS = 2.0
AGAIN = " The next request starts a fresh one."
log = logging.getLogger("lmnb.runtime")


class EngineProcess:
    """A worker process with one model. Use `start_engine` to make one."""

    facts: ModelFacts

    def __init__(self, options: LoadOptions, progress: Callable[[float], None]) -> None:
        self.options = options
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._loaded: asyncio.Future[ModelFacts] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._closing = self._hung = False
        self._pulse = Pulse(self._give_up)
        self._ids = itertools.count(1)
        self._streams: dict[int, ProcessStream] = {}
        self._calls: dict[int, asyncio.Future[protocol.Answer]] = {}
        self._said: deque[str] = deque(maxlen=200)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: Pipes | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and not self._closing and not self._ended.is_set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def log(self) -> list[str]:
        """What the process last wrote to standard error."""
        return list(self._said)

    async def start(self, path: str) -> None:
        """Spawn, load and wait. Raises LoadFailed; cancelling kills the process."""
        try:
            process = await asyncio.to_thread(self._spawn)
            self._pipes = open_pipes(*pipe_ends(process), self._receive, self._bury)
            threading.Thread(target=self._listen, daemon=True, name="lmnb-engine").start()
            self._send(protocol.Load(path, self.options))
            self._pulse.start()
            self.facts = await self._loaded
        except BaseException:
            self.kill()
            if self._pipes is None:
                threading.Thread(target=self._drop, daemon=True, name="lmnb-engine").start()
            raise

    def submit(self, request: EngineRequest) -> ProcessStream:
        return self._open(lambda id: protocol.Submit(id, request))

    async def embed(self, request: EmbedRequest) -> Embedded:
        return await self._vectors(lambda id: protocol.Embed(id, request))

    async def rerank(self, request: RerankRequest) -> Embedded:
        return await self._vectors(lambda id: protocol.Rerank(id, request))

    def cancel(self, id: int) -> None:
        if id in self._streams and self.alive:
            self._send(protocol.Cancel(id))

    async def tokenize(
        self,
        text: str,
        *,
        add_special: bool,
        parse_special: bool,
        plain: tuple[Stretch, ...] = (),
    ) -> list[int]:
        answer = await self._call(
            lambda call: protocol.Tokenize(call, text, add_special, parse_special, plain)
        )
        return answer.tokens or []

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return b"".join(await self.pieces(tokens)).decode("utf-8", "replace")

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        answer = await self._call(lambda call: protocol.Detokenize(call, tuple(tokens)))
        return answer.pieces or []

    async def count(self, request: EngineRequest) -> int:
        answer = await self._call(lambda call: protocol.Count(call, request))
        assert answer.count is not None
        return answer.count

    async def status(self) -> EngineStatus:
        answer = await self._call(protocol.GetStatus)
        assert answer.status is not None
        return answer.status

    async def close(self) -> None:
        if self._process is None or self._ended.is_set():
            return
        self._closing = True
        if self._pipes is not None:
            self._pipes.close()
        try:
            await asyncio.wait_for(self._ended.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self.kill()
            await self._ended.wait()

    def kill(self) -> None:
        """End the process at once. Needs no event loop: it is also the last resort at exit."""
        self._closing = True
        if self._process is not None:
            self._process.kill()

    def _spawn(self) -> subprocess.Popen[bytes]:
        """In a thread, which goes on when the load is cancelled."""
        self._process = spawn()
        if self._closing:
            self._drop()
        return self._process

    def _drop(self) -> None:
        """End a process whose pipes are nobody's yet."""
        if self._process is not None:
            with self._process as process:
                process.kill()

    # -- the pipe -----------------------------------------------------------------------------

    def _send(self, command: protocol.Command) -> None:
        assert self._pipes is not None
        self._pipes.send(command)

    def _open(self, make: Callable[[int], protocol.Command]) -> ProcessStream:
        id = next(self._ids)
        stream = ProcessStream(functools.partial(self.cancel, id))
        if not self.alive:
            stream.push(self._obituary())
            return stream
        self._streams[id] = stream
        self._send(make(id))
        return stream

    async def _vectors(self, make: Callable[[int], protocol.Command]) -> Embedded:
        stream = self._open(make)
        try:
            async for event in stream:
                if isinstance(event, Embedded):
                    return event
        finally:
            stream.cancel()
        raise EngineError("The engine ended a request without an answer.")

    async def _call(self, make: Callable[[int], protocol.Command]) -> protocol.Answer:
        if not self.alive:
            raise self._obituary()
        call = next(self._ids)
        future: asyncio.Future[protocol.Answer] = self._loop.create_future()
        self._calls[call] = future
        try:
            self._send(make(call))
            answer = await future
        finally:
            self._calls.pop(call, None)
        if answer.error is not None:
            raise error_named(answer.kind, answer.error)
        return answer

    def _bury(self) -> None:
        """Nothing more will come. A process that holds much memory takes its time to end."""

        def wait() -> None:
            assert self._process is not None
            self._process.kill()
            self._process.wait()
            with contextlib.suppress(RuntimeError):  # the loop may be gone first
                self._loop.call_soon_threadsafe(self._end)

        threading.Thread(target=wait, daemon=True, name="lmnb-engine").start()

    def _listen(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip()
                self._said.append(text)
                with contextlib.suppress(RuntimeError):  # the loop may be gone first
                    self._loop.call_soon_threadsafe(self._hear, text)
        self._process.wait()  # no zombie, even where the loop ended before the process

    def _hear(self, text: str) -> None:
        log.info("%s", text, extra={"engine_pid": self.pid})

    def _receive(self, messages: list[protocol.Message]) -> None:
        self._pulse.heard()
        for message in messages:
            match message:
                case protocol.Events(events):
                    for event in events:
                        self._dispatch(event)
                case protocol.Answer():
                    future = self._calls.get(message.call)
                    if future is not None and not future.done():
                        future.set_result(message)
                case protocol.Loading(progress):
                    self._progress(progress)
                case protocol.Loaded(facts) if not self._loaded.done():
                    self._pulse.loaded()
                    self._loaded.set_result(facts)
                case protocol.LoadError(text) if not self._loaded.done():
                    self._loaded.set_exception(LoadFailed(text))
                case protocol.Hello(version) if version != protocol.VERSION:
                    self.kill()

    def _dispatch(self, event: SequenceEvent) -> None:
        stream = self._streams.get(event.id)
        if stream is not None:
            if isinstance(event, Finished | Embedded | Failed):
                del self._streams[event.id]
            stream.push(event)

    def _give_up(self) -> None:
        """Nothing is heard of the process. A stopped one can still be killed."""
        self._hung = True
        if self._process is not None:
            self._process.kill()

    def _end(self) -> None:
        self._pulse.stop()
        self._ended.set()
        error = self._obituary()
        if not self._loaded.done():
            self._loaded.set_exception(LoadFailed(error.message.removesuffix(AGAIN)))
            self._loaded.exception()  # it may be nobody's any more
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.push(error)
        for future in self._calls.values():
            if not future.done():
                future.set_exception(error)

    def _obituary(self) -> LmnbError:
        if self._closing:
            return ServiceClosed("The model was unloaded.")
        if self._hung:
            return EngineDied("The engine process gave no sign of life and was ended." + AGAIN)
        code = self._process.poll() if self._process else None
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        last = self._said[-1] if self._said else "nothing"
        return EngineDied(
            f"The engine process ended unexpectedly ({how}); it last said: {last!r}." + AGAIN
        )


async def start_engine(
    path: str, options: LoadOptions, progress: Callable[[float], None] = lambda _: None
) -> EngineProcess:
    """An EngineFactory: the model at `path` in a process of its own."""
    engine = EngineProcess(options, progress)
    await engine.start(path)
    return engine
