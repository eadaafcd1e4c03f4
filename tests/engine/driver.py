"""Drives a Runner without a process: the engine itself, step by step."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from lmnb.engine.events import Delta, Failed, Finished, Prefill, SequenceEvent, TokenLogprob
from lmnb.engine.log import EngineLog
from lmnb.engine.opening import open_runner
from lmnb.engine.options import EngineRequest, LoadOptions, Sampling, Span
from lmnb.engine.runner import Runner

GREEDY = Sampling(temperature=0)
LOG = EngineLog()
LOG.install()
_ids = itertools.count(1)


@dataclass
class Reply:
    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    prefills: list[Prefill] = field(default_factory=list)
    end: Finished | Failed | None = None

    def take(self, event: SequenceEvent) -> None:
        if isinstance(event, Delta | Finished):
            self.text += event.text
            self.logprobs += event.logprobs
        if isinstance(event, Prefill):
            self.prefills.append(event)
        if isinstance(event, Finished | Failed):
            self.end = event

    @property
    def finished(self) -> Finished:
        assert isinstance(self.end, Finished), self.end
        return self.end


def load(path: object, **options: object) -> Runner:
    runner = open_runner(str(path), LoadOptions(**options), LOG)  # type: ignore[arg-type]
    assert isinstance(runner, Runner)
    return runner


def request(prompt: str | Sequence[int], **options: object) -> EngineRequest:
    options.setdefault("sampling", GREEDY)
    if isinstance(prompt, str):
        return EngineRequest(prompt=(Span(prompt),), **options)  # type: ignore[arg-type]
    return EngineRequest(prompt_tokens=tuple(prompt), **options)  # type: ignore[arg-type]


def submit(runner: Runner, *requests: EngineRequest) -> dict[int, Reply]:
    replies = {}
    for wanted in requests:
        id = next(_ids)
        replies[id] = Reply()
        for event in runner.submit(id, wanted):
            replies[id].take(event)
    return replies


def step(runner: Runner, replies: dict[int, Reply]) -> None:
    for event in runner.step():
        replies[event.id].take(event)


def run(runner: Runner, *requests: EngineRequest) -> list[Reply]:
    """All of them at once, to the end."""
    replies = submit(runner, *requests)
    while runner.busy:
        step(runner, replies)
    return list(replies.values())


def words(count: int, seed: int = 0) -> str:
    """Text of about `count` tokens that differs from seed to seed from its first word on."""
    return " ".join(f"item{(seed * 7919 + i * 104729) % 9973}" for i in range(count // 6))
