"""What a load would take, whether it may, and how it would fit."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from lmnb.engine.options import LoadOptions
from lmnb.errors import InsufficientMemory, InvalidRequest
from lmnb.models.gguf.header import read_header
from lmnb.models.memory.blueprint import Blueprint, blueprint
from lmnb.models.memory.fit import PROCESS_BYTES, Guardrail, Load, Rooms
from lmnb.models.memory.need import Machine
from lmnb.models.store.store import ModelRecord
from lmnb.service.estimate import Estimate, estimate_of
from lmnb.service.guardrail import guardrail_named
from lmnb.service.instances import LoadedModel, Target
from lmnb.service.machine import MachineWatch
from lmnb.service.shapes import shape_of

__all__ = ["Estimates"]

KEPT = 256
GRAIN = 24
"""16 MiB, as a power of two."""
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, time) of each file."""
Key = tuple[Stamp, LoadOptions, Rooms]


class MachineLike(Protocol):
    def look(self) -> Machine: ...


class Estimates:
    """Estimates loads, and is the manager's guard. Headers are read once for each state of a file;
    answers are kept as long as the memory they were made for is the same."""

    def __init__(
        self,
        machine: MachineLike | None = None,
        *,
        guardrail: Guardrail = "balanced",
    ) -> None:
        self.machine = machine or MachineWatch()
        self.guardrail = guardrail
        self.loaded: Callable[[], Sequence[LoadedModel]] = tuple
        """The models in memory. Whoever has a manager says so here."""
        self._blueprints: OrderedDict[Stamp, Blueprint] = OrderedDict()
        self._answers: OrderedDict[Key, Estimate] = OrderedDict()

    async def estimate(
        self,
        record: ModelRecord,
        options: LoadOptions,
        guardrail: str | None = None,
        *,
        instead_of: str | None = None,
    ) -> Estimate:
        """`instead_of`: the identifier of an instance that would go for it.

        Raises InvalidRequest (the guardrail's name, a file that has become no GGUF file).
        """
        mode = guardrail_named(guardrail, self.guardrail)
        others = [one for one in self.loaded() if one.id != instead_of]
        return await asyncio.to_thread(self._estimate, record, options, mode, others)

    async def check(self, target: Target) -> LoadOptions:
        """The options with which a load fits. Raises InsufficientMemory when it may not be."""
        mode = guardrail_named(target.guardrail, self.guardrail)
        if mode == "off" and not _is_open(target.options):
            return target.options
        try:
            estimate = await self.estimate(
                target.record, target.options, mode, instead_of=target.identifier
            )
        except InvalidRequest:
            return target.options  # what llama.cpp says of the file says more
        if not estimate.allowed:
            raise InsufficientMemory(estimate.reason, param="model")
        return estimate.options

    # -- in a thread

    def _estimate(
        self,
        record: ModelRecord,
        options: LoadOptions,
        mode: Guardrail,
        others: Sequence[LoadedModel],
    ) -> Estimate:
        rooms = Rooms(_rounded(self.machine.look()), mode, self._reserved(others))
        adapters = [Path(adapter.path) for adapter in options.lora]
        projectors = _projectors(record, options)
        key = (_stamp((*record.files, *adapters, *projectors)), options, rooms)
        if (known := self._answers.get(key)) is not None:
            return known
        load = Load(
            self._blueprint(record),
            shape_of(record.info, options),
            rooms,
            projector=sum(map(_file_size, projectors)),
            adapters=sum(map(_file_size, adapters)),
        )
        answer = estimate_of(record, options, load)
        _keep(self._answers, key, answer)
        return answer

    def _blueprint(self, record: ModelRecord) -> Blueprint:
        key = _stamp(record.files)
        if (known := self._blueprints.get(key)) is None:
            known = blueprint([read_header(file) for file in record.files])
            _keep(self._blueprints, key, known)
        return known

    def _reserved(self, others: Sequence[LoadedModel]) -> int:
        """What the models in memory will take of what seems free: caches that are not full yet, and
        the pages of their files, which the system counts as free."""
        rooms = Rooms(self.machine.look(), "off")
        reserved = 0
        for one in others:
            try:
                model = self._blueprint(one.record)
            except InvalidRequest:
                continue  # its file is gone or has changed
            host = Load(model, shape_of(one.record.info, one.engine.options), rooms).needs()[0]
            whole = host.total - host.spare + PROCESS_BYTES
            reserved += max(0, whole - _anonymous(one.engine.pid))
        return reserved >> GRAIN << GRAIN


def _projectors(record: ModelRecord, options: LoadOptions) -> list[Path]:
    """What it sees with: the one that is asked for, else the one beside the model."""
    if options.projector is not None:
        return [Path(options.projector)] if options.projector else []
    return [record.projector] if record.projector else []


def _is_open(options: LoadOptions) -> bool:
    """Is something left to be settled for this machine?"""
    return options.gpu == "auto" or options.context_length is None


def _rounded(machine: Machine) -> Machine:
    """Free memory in grains, so that an answer holds for a while."""

    def down(count: int) -> int:
        return count >> GRAIN << GRAIN

    return replace(
        machine,
        cpu=replace(machine.cpu, free=down(machine.cpu.free)),
        gpus=tuple(replace(gpu, free=down(gpu.free)) for gpu in machine.gpus),
    )


def _anonymous(pid: int | None) -> int:
    """Bytes of a process that are no pages of files."""
    try:
        memory = psutil.Process(pid).memory_info() if pid else None
    except psutil.Error:
        return 0
    return memory.rss - getattr(memory, "shared", 0) if memory else 0


def _stamp(files: Sequence[Path]) -> Stamp:
    return tuple((str(file), _file_size(file), _modified(file)) for file in files)


def _file_size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


def _modified(file: Path) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0


def _keep(kept: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT) -> None:
    kept[key] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)
