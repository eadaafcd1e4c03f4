"""One GGUF model in one process. To everyone above it, an `Engine`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from lmnb.engine.events import Embedded, EngineStatus, ModelFacts, SequenceEvent
from lmnb.engine.options import EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.engine.partition import Stretch

__all__ = ["Engine", "EngineFactory", "SequenceStream"]


class SequenceStream(Protocol):
    """The events of one sequence. The first is `Accepted`, the last `Finished`.

    Failures are raised as lmnb.errors (ContextLengthExceeded, QueueFull, EngineDied, ...) by the
    iteration. Closing early (`cancel`) stops the computation within one step; it may be called
    more than once, and after the end.
    """

    def __aiter__(self) -> AsyncIterator[SequenceEvent]: ...

    def cancel(self) -> None: ...


class Engine(Protocol):
    """A loaded model. Nothing here speaks of processes or pipes: another machine could answer."""

    facts: ModelFacts
    options: LoadOptions

    @property
    def alive(self) -> bool:
        """False once the engine has ended, wanted or not."""

    @property
    def pid(self) -> int | None:
        """The process that holds the memory, where there is one."""

    def submit(self, request: EngineRequest) -> SequenceStream: ...

    async def embed(self, request: EmbedRequest) -> Embedded:
        """A vector for each input. Raises InvalidRequest (this model cannot, an input is too long,
        ...), QueueFull, EngineDied. Cancelling the call ends the computation."""

    async def rerank(self, request: RerankRequest) -> Embedded:
        """A score from 0 to 1 for each document. Raises as `embed` does."""

    async def tokenize(
        self,
        text: str,
        *,
        add_special: bool,
        parse_special: bool,
        plain: tuple[Stretch, ...] = (),
    ) -> list[int]:
        """`plain`: where control-token text is text. Nothing is added then."""

    async def detokenize(self, tokens: Sequence[int]) -> str: ...

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each token stands for. A character may be split over several."""

    async def count(self, request: EngineRequest) -> int:
        """The tokens of its prompt, pictures and all. Raises InvalidRequest."""

    async def status(self) -> EngineStatus: ...

    async def close(self) -> None:
        """End it and give all memory back. Sequences still running fail with ServiceClosed."""


class EngineFactory(Protocol):
    """How a model file becomes an Engine. Injected into the service, so that tests script one."""

    async def __call__(
        self, path: str, options: LoadOptions, progress: Callable[[float], None]
    ) -> Engine:
        """Raises LoadFailed. Cancelling the call abandons the load and frees everything."""
