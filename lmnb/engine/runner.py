"""A loaded model and its scheduler: what the worker process serves."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from time import perf_counter
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher

from lmnb.engine.cache import KVCache
from lmnb.engine.completion import Completion
from lmnb.engine.constraint import Guide
from lmnb.engine.context import Context
from lmnb.engine.cpu import usable_cores
from lmnb.engine.events import Accepted, EngineStatus, Failed, Finished, SequenceEvent, Timings
from lmnb.engine.eyes import Eyes
from lmnb.engine.facts import read_facts
from lmnb.engine.glance import Looked
from lmnb.engine.grammars import Grammars
from lmnb.engine.limits import check_request, check_tokens
from lmnb.engine.log import EngineLog
from lmnb.engine.model import Model
from lmnb.engine.options import Constraint, EmbedRequest, EngineRequest, LoadOptions, RerankRequest
from lmnb.engine.places import Places
from lmnb.engine.prompts import PromptReader
from lmnb.engine.sampling import Sampler
from lmnb.engine.scheduler import Scheduler
from lmnb.engine.scoring import PromptScores
from lmnb.engine.sequence import Sequence
from lmnb.engine.settling import settled
from lmnb.engine.thinking import Thinking
from lmnb.engine.threads import ThreadGovernor
from lmnb.errors import InvalidRequest, LmnbError, QueueFull

if TYPE_CHECKING:
    from lmnb.engine.projector import Projector

PATIENCE = 0.02
"""Seconds to wait for a grammar before looking at the pipe again, where nothing else is to do."""


class Runner:
    """Owns the model from then on. Raises LoadFailed."""

    def __init__(self, model: Model, options: LoadOptions, log: EngineLog, start: float) -> None:
        cores = usable_cores()
        most = options.threads or cores
        self.model = model
        self.options = settled(options, model.train_context, model.parameters)
        self.context = Context(model, self.options, self.options.slots, most, log)
        self.eyes = Eyes(self._open_projector(log, most), self.context.length)
        places = Places()
        self.prompts = PromptReader(model.vocab, places, self.context.length)
        mib = self.options.host_cache_mib
        host_limit = None if mib is None else mib << 20
        self.scheduler = Scheduler(
            Completion(model.vocab, self.context.length),
            self.context,
            KVCache(self.context, self.options.slots, host_limit, places),
            ThreadGovernor(
                most,
                cores,
                adaptive=options.adaptive_threads,
                abandon=self.context.abandon,
            ),
            self.eyes.projector,
        )
        self.grammars = Grammars(self.model.vocab)
        self._preparing: dict[int, tuple[Sequence, Constraint, Future[LLMatcher]]] = {}
        self.facts = read_facts(
            model,
            self.context,
            self.options,
            threads=most,
            load_seconds=perf_counter() - start,
            vision=self.eyes.projector is not None,
        )

    def close(self) -> None:
        self.grammars.close()
        self.eyes.close()
        self.context.close()
        self.model.close()

    @property
    def busy(self) -> bool:
        return bool(self._preparing or self.eyes) or self.scheduler.busy

    @property
    def waits(self) -> bool:
        """Is there nothing to do, though it is busy, until it wakes its caller? Never here."""
        return False

    def submit(self, id: int, request: EngineRequest) -> list[SequenceEvent]:
        """Queue a request: `Accepted`, or why not. Nothing yet, when its pictures must be decoded or
        its grammar compiled first: then `step` says it."""
        try:
            self._check(request)
        except LmnbError as error:
            return [_failed(id, error)]
        if request.images:
            self.eyes.open(id, request)
            return []
        return self._begin(id, request, [])

    def count(self, request: EngineRequest) -> int:
        """How many tokens its prompt has. Raises InvalidRequest."""
        return len(self.prompts.read(request, self.eyes.look(request) if request.images else [])[0])

    def _begin(self, id: int, request: EngineRequest, looked: list[Looked]) -> list[SequenceEvent]:
        try:
            tokens, glances = self.prompts.fitting(request, looked)
            sampler = Sampler(request.sampling, self.model.vocab, self.model.train_context)
        except LmnbError as error:
            return [_failed(id, error)]
        sampler.observe(tokens)
        visible = self.model.vocab.controls(request.visible)
        if request.rules.controls:
            visible |= self.model.vocab.control_tokens
        sequence = Sequence(id, tokens, request, sampler, visible, glances=glances)
        if request.score_prompt:
            sequence.scores = PromptScores(tokens, request.logprobs or 0, self.model.vocab)
        if request.thinking is not None:
            sequence.thinking = Thinking(request.thinking, self.model.vocab)
        if request.constraint is not None:
            compiled = self.grammars.compile(request.constraint)
            self._preparing[id] = sequence, request.constraint, compiled
            return []
        return [self._accept(sequence)]

    def step(self) -> list[SequenceEvent]:
        """Compute once; what happened, in order."""
        if not self.scheduler.busy:
            awaited: list[Future[Any]] = [future for _, _, future in self._preparing.values()]
            wait(awaited + self.eyes.futures, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        said = [event for seen in self.eyes.seen() for event in self._seen(*seen)]
        said += [self._prepared(id) for id, entry in [*self._preparing.items()] if entry[2].done()]
        # Those who wait to be accepted hear it before the step that reads their prompts.
        return said or self.scheduler.step()

    def status(self) -> EngineStatus:
        return self.scheduler.status()

    def embed(self, id: int, _: EmbedRequest) -> list[SequenceEvent]:
        """Not here: the context of a model that writes text has no room for it."""
        return [
            _failed(
                id,
                InvalidRequest(
                    "This model cannot embed: it is loaded to write text. Use an embedding model, "
                    "or load this one with 'embeddings': true.",
                    param="model",
                ),
            )
        ]

    def rerank(self, id: int, _: RerankRequest) -> list[SequenceEvent]:
        """Not here."""
        message = "This model cannot rerank: it writes text. Use a reranker."
        return [_failed(id, InvalidRequest(message, param="model"))]

    def cancel(self, id: int) -> list[SequenceEvent]:
        """Stop a sequence. An unknown id has ended already."""
        if request := self.eyes.avert(id):
            return [_unbegun(id, request)]
        if id not in self._preparing:
            return self.scheduler.cancel(id)
        sequence, _, compiled = self._preparing.pop(id)
        compiled.cancel()
        sequence.sampler.close()
        return [sequence.finish("cancelled")]

    def _prepared(self, id: int) -> SequenceEvent:
        """Its grammar is compiled, or was refused."""
        sequence, constraint, compiled = self._preparing.pop(id)
        try:
            sequence.guide = Guide(constraint, compiled.result(), self.grammars)
        except LmnbError as error:
            sequence.sampler.close()
            return _failed(id, error)
        return self._accept(sequence)

    def _accept(self, sequence: Sequence) -> SequenceEvent:
        self.scheduler.add(sequence)
        ids = sequence.tokens.tolist() if sequence.request.rules.ids else ()
        return Accepted(sequence.id, sequence.prompt_length, tuple(ids))

    def _seen(
        self, id: int, request: EngineRequest, looking: Future[list[Looked]]
    ) -> list[SequenceEvent]:
        """Its pictures are decoded, or are none."""
        try:
            return self._begin(id, request, looking.result())
        except LmnbError as error:
            return [_failed(id, error)]

    def _check(self, request: EngineRequest) -> None:
        """What can be known before the prompt is read."""
        if not self.model.generates or not self.context.memory:
            raise InvalidRequest(
                "This model does not generate text: it is made for embeddings.", param="model"
            )
        free = self.options.slots - len(self.scheduler.running)
        waiting = self.scheduler.waiting + len(self._preparing) + len(self.eyes) - free
        if waiting >= self.options.queue_limit:
            raise QueueFull(
                f"{waiting} requests already wait for this model; "
                f"its queue holds {self.options.queue_limit}."
            )
        check_request(request)
        check_tokens(request, self.model.vocab)

    def _open_projector(self, log: EngineLog, threads: int) -> Projector | None:
        if not self.options.projector:
            return None
        from lmnb.engine.projector import Projector  # loads mtmd

        try:
            return Projector(
                self.options.projector,
                self.model,
                log,
                threads=threads,
                gpu=self.model.gpu_layers > 0,
                most=self.context.micro_batch_size,
            )
        except BaseException:
            self.context.close()
            raise


def _failed(id: int, error: LmnbError) -> Failed:
    return Failed(id, type(error).__name__, error.message, error.param)


def _unbegun(id: int, request: EngineRequest) -> Finished:
    """The end of what was cancelled before anything was read of it."""
    return Finished(
        id=id,
        reason="cancelled",
        text="",
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        timings=Timings(),
        seed=request.sampling.seed or 0,
    )
