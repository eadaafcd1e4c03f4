"""The shapes of what the server answers: the parts that the kernel's side reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict


class Instance(TypedDict, total=False):
    """A loaded model, as `GET api/v1/models` lists it under its model."""

    id: str
    config: dict[str, Any]


class Quantization(TypedDict, total=False):
    name: str | None
    bits_per_weight: float | None


class Model(TypedDict, total=False):
    """A model on this machine."""

    type: str
    publisher: str
    key: str
    display_name: str
    architecture: str | None
    quantization: Quantization | None
    size_bytes: int
    params_string: str | None
    loaded_instances: list[Instance]
    max_context_length: int
    format: str | None
    selected_variant: str | None
    path: str


class Loaded(TypedDict, total=False):
    """A loaded model, as `GET api/v1/status` describes it."""

    identifier: str
    model: str
    state: str
    size_bytes: int
    context_length: int
    parallel: int
    pid: int | None
    memory_bytes: int | None
    last_used: float | None
    running: int
    waiting: int
    ttl: float | None


class Status(TypedDict, total=False):
    """The server, what it has loaded, and the machine it runs on."""

    version: str
    uptime_seconds: float
    base_url: str
    loaded: list[Loaded]
    machine: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """The prompt is being read: `done` of `total` tokens."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """A piece of the call number `index`: its id and name once, its arguments bit by bit."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete."""

    reason: str
    model: str
    usage: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)


ChatEvent = Progress | Text | Reasoning | ToolDelta | End
