"""From a name to the instance that answers to it, there or not yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, ModelInUse, ModelNotFound
from lmnb.models.identifiers import free_identifier
from lmnb.models.store.store import ModelRecord
from lmnb.service.instances import Instances, Target, is_own_name
from lmnb.service.loads import Loads

__all__ = ["Targets"]

Find = Callable[[str], Awaitable[ModelRecord]]
Options = Callable[[ModelRecord, Mapping[str, Any]], Awaitable[LoadOptions]]


class Targets:
    """An identifier names one instance, or one that is as good and less busy. A model names the
    least busy of its instances; if it has none, the one that would be loaded for a request."""

    def __init__(self, instances: Instances, loads: Loads, find: Find, options: Options) -> None:
        self._instances = instances
        self._loads = loads
        self._find = find
        self._options = options

    async def target(self, name: str, context_length: int | None = None) -> Target:
        """With `context_length`: an instance that holds as many tokens; a further one where none
        does. Raises ModelNotFound, InvalidRequest."""
        target = self._named(name)
        if target is None:
            record = await self._find(name)
            target = self._named(record.id) or self._of(record)
            if target is None:
                asked = {} if context_length is None else {"context_length": context_length}
                options = await self._options(record, asked)
                target = self._named(record.id)
                if target is None:
                    return Target(record.id, record, options, True, asked)
        return target if context_length is None else await self._roomy(target, context_length)

    def under(self, identifier: str, wanted: Target, *, anyhow: bool) -> Target:
        """For a load by hand that names its instance: the one of that name, if it is `wanted`
        (`anyhow`: however it was loaded), else one in its place.

        Raises ModelInUse, where somebody needs the one that is there.
        """
        if load := self._loads.get(identifier):
            if _is(load.target, wanted, anyhow):
                return load.target
            raise ModelInUse(f"'{identifier}' is being loaded in another way.", param="identifier")
        model = self._instances.get(identifier)
        if model is not None and model.available:
            if _is(model.target, wanted, anyhow):
                return model.target
            if model.in_flight:
                raise ModelInUse(
                    f"'{identifier}' is answering {model.in_flight} request(s); it can be "
                    "loaded in another way when it is idle, or under another identifier.",
                    param="identifier",
                )
        return replace(wanted, identifier=identifier)

    def somewhere(self, wanted: Target, *, anyhow: bool, new: bool) -> Target:
        """For a load by hand that names no instance: one that is `wanted`, unless it has to be
        `new`; else one in the place of an idle one that was loaded on request; else a further one."""
        record = wanted.record
        models = [one for one in self._instances.of(record) if one.available]
        present = [one.target for one in models] + self._loading(record)
        for target in () if new else present:
            if is_own_name(target.identifier, record) and _is(target, wanted, anyhow):
                return target
        for model in () if new else models:
            if is_own_name(model.id, record) and model.jit and not model.in_flight:
                return replace(wanted, identifier=model.id)
        return replace(wanted, identifier=self._free(record))

    async def present(self, name: str) -> str:
        """The identifier of what is loaded, or being loaded, under that name.

        Raises ModelNotFound, and InvalidRequest where a model has several instances.
        """
        targets = [model.target for model in self._instances] + [*self._loads.targets()]
        identifiers = {target.identifier: target for target in targets}
        if name in identifiers:
            return name
        own: list[str] = []
        with suppress(ModelNotFound, InvalidRequest):
            record = await self._find(name)
            if record.id in identifiers:
                return record.id
            own = [id for id, one in identifiers.items() if one.record.path == record.path]
        if len(own) == 1:
            return own[0]
        if own:
            raise InvalidRequest(
                f"'{name}' is loaded as {_listed(own)}. Which?", param="instance_id"
            )
        raise ModelNotFound(
            f"No model '{name}' is loaded. Loaded: {_listed(identifiers) or 'nothing'}.",
            param="instance_id",
        )

    def _free(self, record: ModelRecord) -> str:
        """A name for a further instance."""
        taken = {model.id for model in self._instances.living()}
        return free_identifier(record.id, taken | {one.identifier for one in self._loads.targets()})

    def _loading(self, record: ModelRecord) -> list[Target]:
        return [one for one in self._loads.targets() if one.record.path == record.path]

    def _named(self, identifier: str) -> Target | None:
        """What is loaded, or being loaded, under that identifier."""
        if load := self._loads.get(identifier):
            return load.target
        model = self._instances.get(identifier)
        if model is None:
            return None
        return self._instances.twin(model).target if model.available else model.target

    def _of(self, record: ModelRecord) -> Target | None:
        """The least busy instance of a model, or one that will be there."""
        if model := self._instances.available(record):
            return model.target
        return next(iter(self._loading(record)), None)

    async def _roomy(self, wanted: Target, context: int) -> Target:
        """`wanted`, another of its model's instances, or a new one."""
        record = wanted.record
        present = [one.target for one in self._instances.of(record)] + self._loading(record)
        for target in sorted(
            present, key=lambda one: (one.identifier != wanted.identifier, one.identifier)
        ):
            if self._room(target) >= context:
                return target
        asked = {"context_length": context}
        options = await self._options(record, asked)
        return Target(self._free(record), record, options, True, asked)

    def _room(self, target: Target) -> int:
        """Tokens that one conversation may hold there."""
        if model := self._instances.get(target.identifier):
            return model.engine.facts.context_length
        return target.options.context_length or 0


def _is(target: Target, wanted: Target, anyhow: bool) -> bool:
    """The same file, loaded the same way."""
    return target.record.path == wanted.record.path and (anyhow or target.options == wanted.options)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
