"""How a model would be loaded: who chooses what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from lmnb.engine.limits import check_load
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.store.store import ModelRecord
from lmnb.service.instances import LoadedModel
from lmnb.service.settings import Settings, settings_key

__all__ = ["NOTHING", "LoadChoices"]

NOTHING: Mapping[str, Any] = {}


class LoadChoices:
    """As the caller asks, then as is saved for the model, then as the server is set (`defaults`)."""

    def __init__(self, defaults: LoadOptions, settings: Settings) -> None:
        self.defaults = defaults
        self.settings = settings

    async def options(self, record: ModelRecord, asked: Mapping[str, Any] = NOTHING) -> LoadOptions:
        """Raises InvalidRequest for what cannot be."""
        options = msgspec.structs.replace(self.defaults, **{**await self.saved(record), **asked})
        if options.projector is None and record.vision:
            options = msgspec.structs.replace(options, projector=str(record.projector))
        if 0 < record.info.experts < (options.num_experts or 0):
            raise InvalidRequest(
                f"'num_experts' is {options.num_experts}, and '{record.id}' has "
                f"{record.info.experts} experts.",
                param="num_experts",
            )
        check_load(options)
        return options

    async def saved(self, record: ModelRecord) -> Mapping[str, Any]:
        """What is set for this model."""
        return await asyncio.to_thread(self.settings.get, settings_key(record))

    async def is_outdated(self, model: LoadedModel) -> bool:
        """Whether a load like this one's would be another now: its settings were changed."""
        try:
            return await self.options(model.record, model.asked) != model.options
        except InvalidRequest:
            return True
