"""GET, PUT and DELETE /api/v1/models/settings/{key}: how a model is loaded unless a call says
otherwise. What is loaded already stays as it is."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from pydantic import ConfigDict

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio.load_options import asked_options
from lmnb.engine.limits import check_load
from lmnb.models.store.store import ModelRecord
from lmnb.service.settings import settings_key

__all__ = ["SettingsHandler", "SettingsRequest"]


class SettingsRequest(Body):
    """Load options. Those that are not there are not set."""

    model_config = ConfigDict(extra="allow")


class SettingsHandler(ApiHandler):
    """What is set for one model, and what a load would make of it."""

    @endpoint
    async def get(self, key: str) -> None:
        await self._answer(await self.services.manager.find(key))

    head = get

    @endpoint(needs="manage")
    async def put(self, key: str) -> None:
        request, manager = await self.read(SettingsRequest), self.services.manager
        asked = asked_options(request.model_extra or {})
        check_load(msgspec.structs.replace(manager.choices.defaults, **asked))
        record = await manager.find(key)
        await asyncio.to_thread(self.services.settings.put, settings_key(record), asked)
        await self._changed(record)

    @endpoint(needs="manage")
    async def delete(self, key: str) -> None:
        record = await self.services.manager.find(key)
        await asyncio.to_thread(self.services.settings.delete, settings_key(record))
        await self._changed(record)

    async def _changed(self, record: ModelRecord) -> None:
        saved = await self.services.manager.choices.saved(record)
        about = {"model": record.id, "settings": msgspec.to_builtins(saved)}
        self.services.notices.publish("settings.changed", about)
        await self._answer(record)

    async def _answer(self, record: ModelRecord) -> None:
        manager = self.services.manager
        instances = [one for one in manager.loaded() if one.record.path == record.path]
        answer: dict[str, Any] = {
            "model": record.id,
            "settings": await manager.choices.saved(record),
            "effective": await manager.choices.options(record),
            "needs_reload": any([await manager.choices.is_outdated(one) for one in instances]),
        }
        self.reply(answer)
