"""A model loaded to compute vectors, and its embedder: what the worker process serves."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from time import perf_counter

import msgspec
import numpy as np

from lmnb.engine.context import Context
from lmnb.engine.cpu import usable_cores
from lmnb.engine.embedder import Embedder
from lmnb.engine.events import EngineStatus, Pooling, SequenceEvent
from lmnb.engine.facts import read_facts
from lmnb.engine.log import EngineLog
from lmnb.engine.model import Model
from lmnb.engine.options import EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.engine.packing import Finish, Vectors, failed
from lmnb.engine.settling import (
    LANES,
    PACKED_TOKENS,
    calls_at_once,
    longest_text,
    settled_for_vectors,
)
from lmnb.engine.threads import ThreadGovernor
from lmnb.engine.vocab import Tokens, as_tokens
from lmnb.errors import ContextLengthExceeded, InvalidRequest, LmnbError, QueueFull

MOST_INPUTS = 16384
"""In one request: their vectors are answered together, and held until then."""
_PLACES = re.compile(r"\{(?:query|document)\}")


def pooling_for(model: Model, options: LoadOptions) -> Pooling | None:
    """How a load makes vectors. None: it is to write text."""
    declared = model.declared_pooling
    if model.encodes:
        return declared or "mean"
    if options.embeddings is None:
        return declared
    return (declared or "mean") if options.embeddings and model.generates else None


def _contexts(
    model: Model, options: LoadOptions, pooling: Pooling, threads: int, log: EngineLog
) -> tuple[list[Context], int]:
    """One that takes the longest text. For an encoder on a processor, others beside it that take
    short ones; and the threads of each while they compute at the same time.

    Raises LoadFailed, with none left.
    """
    calls, threads_apart = 1, threads
    if model.encodes and not model.gpu_layers:
        calls, threads_apart = calls_at_once(threads)
    roomy = settled_for_vectors(options, model.train_context)
    packed = msgspec.structs.replace(options, context_length=PACKED_TOKENS)
    short = settled_for_vectors(packed, model.train_context)
    contexts: list[Context] = []
    try:
        for wanted in (roomy, *[short] * (calls - 1)):
            contexts.append(Context(model, wanted, LANES, threads, log, pooling))
    except BaseException:
        for context in contexts:
            context.close()
        raise
    return contexts, threads_apart


class VectorRunner:
    """Has the verbs of `Runner`. Raises LoadFailed."""

    def __init__(
        self,
        model: Model,
        options: LoadOptions,
        pooling: Pooling,
        log: EngineLog,
        start: float,
        wake: Callable[[], None],
    ) -> None:
        cores = usable_cores()
        most = options.threads or cores
        self.model = model
        self.longest = longest_text(options, model.train_context)
        self.options = msgspec.structs.replace(options, context_length=self.longest)
        self._contexts, threads_apart = _contexts(model, options, pooling, most, log)
        self.context = self._contexts[0]
        self.context.length = self.longest
        self._ranks = pooling == "rank"
        self.embedder = Embedder(
            self._contexts,
            model.classes if self._ranks else model.vector_length,
            ThreadGovernor(
                most, cores, adaptive=options.adaptive_threads, abandon=self.context.abandon
            ),
            threads_apart=threads_apart,
            wake=wake,
        )
        self.facts = read_facts(
            model,
            self.context,
            self.options,
            threads=most,
            load_seconds=perf_counter() - start,
            pooling=pooling,
        )

    def close(self) -> None:
        self.embedder.close()
        for context in self._contexts:
            context.close()
        self.model.close()

    @property
    def busy(self) -> bool:
        return self.embedder.busy

    @property
    def waits(self) -> bool:
        return self.embedder.waits

    def step(self) -> list[SequenceEvent]:
        return self.embedder.step()

    def cancel(self, id: int) -> list[SequenceEvent]:
        return self.embedder.cancel(id)

    def status(self) -> EngineStatus:
        return self.embedder.status()

    def submit(self, id: int, request: EngineRequest) -> list[SequenceEvent]:
        made_for = "reranking" if self._ranks else "embeddings"
        error = f"This model does not generate text: it is loaded for {made_for}."
        return [failed(id, InvalidRequest(error, param="model"))]

    def count(self, _: EngineRequest) -> int:
        """Not here."""
        raise InvalidRequest("This model does not generate text.", param="model")

    def embed(self, id: int, request: EmbedRequest) -> list[SequenceEvent]:
        """Queue inputs to become vectors of length 1; why not, where that is so."""
        try:
            if self._ranks:
                raise InvalidRequest(
                    "This model is a reranker: it gives scores, no embeddings.", param="model"
                )
            size = self.model.vector_length
            if request.dimensions is not None and not 1 <= request.dimensions <= size:
                raise InvalidRequest(
                    f"'dimensions' must be from 1 to {size}, the length of this model's vectors, "
                    f"not {request.dimensions}.",
                    param="dimensions",
                )
            _check_count(len(request.inputs), "input")
            alone = len(request.inputs) == 1
            inputs = [
                self._checked(self._tokens(one), "input" if alone else f"input[{index}]")
                for index, one in enumerate(request.inputs)
            ]
            return self._queue(id, inputs, functools.partial(_unit, size=request.dimensions))
        except LmnbError as error:
            return [failed(id, error)]

    def rerank(self, id: int, request: RerankRequest) -> list[SequenceEvent]:
        """Queue documents to be judged; why not, where that is so."""
        try:
            if not self._ranks:
                raise InvalidRequest(
                    "This model is no reranker: it gives embeddings, no scores.", param="model"
                )
            _check_count(len(request.documents), request.field)
            inputs = [
                self._checked(self._pair(request.query, document), f"{request.field}[{index}]")
                for index, document in enumerate(request.documents)
            ]
            return self._queue(id, inputs, _scores)
        except LmnbError as error:
            return [failed(id, error)]

    def _queue(self, id: int, inputs: Sequence[Tokens], finish: Finish) -> list[SequenceEvent]:
        waiting = len(self.embedder) - self.options.slots
        if waiting >= self.options.queue_limit:
            raise QueueFull(
                f"{waiting} requests already wait for this model; "
                f"its queue holds {self.options.queue_limit}."
            )
        self.embedder.add(id, inputs, finish)
        return []

    def _tokens(self, one: str | tuple[int, ...]) -> Tokens:
        if isinstance(one, str):
            return as_tokens(self.model.vocab.tokenize(one, add_special=True, parse_special=True))
        return as_tokens(one)

    def _pair(self, query: str, document: str) -> Tokens:
        """As the model's own `rerank` template says, where it has one."""
        vocab, template = self.model.vocab, self.model.chat_template("rerank")
        if template is None:
            return as_tokens(vocab.tokenize_pair(query, document))
        values = {"{query}": query, "{document}": document}
        text = _PLACES.sub(lambda place: values[place[0]], template)
        return as_tokens(vocab.tokenize(text, add_special=False, parse_special=True))

    def _checked(self, tokens: Tokens, field: str) -> Tokens:
        """Nothing is cut off: a model that was trained to find its end mark must see it."""
        if not len(tokens):
            raise InvalidRequest(f"'{field}' is empty.", param=field)
        if tokens.min() < 0 or tokens.max() >= self.model.vocab.size:
            raise InvalidRequest(
                f"'{field}' has a token id outside 0 to {self.model.vocab.size - 1}.", param=field
            )
        if len(tokens) > self.longest:
            raise ContextLengthExceeded(
                f"'{field}' has {len(tokens)} tokens. This model's maximum context length is "
                f"{self.longest} tokens, as it is loaded.",
                param=field,
            )
        return tokens


def _check_count(count: int, field: str) -> None:
    if not 1 <= count <= MOST_INPUTS:
        raise InvalidRequest(
            f"'{field}' must hold 1 to {MOST_INPUTS} texts, not {count}.", param=field
        )


def _unit(vectors: Vectors, size: int | None) -> Vectors:
    """The first `size` numbers of each, at length 1."""
    vectors = vectors[:, :size]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def _scores(vectors: Vectors) -> Vectors:
    """From 0 to 1. Models with several classes say probabilities, of yes first; others a logit."""
    first = vectors[:, :1]
    return first if vectors.shape[1] > 1 else 0.5 + 0.5 * np.tanh(0.5 * first)
