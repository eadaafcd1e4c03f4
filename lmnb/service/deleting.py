"""Deleting a model that may be in use."""

from __future__ import annotations

import asyncio

from lmnb.errors import ModelInUse
from lmnb.models.store.removing import Removal, check_removable
from lmnb.service.manager import ModelManager

__all__ = ["delete_model"]


async def delete_model(manager: ModelManager, name: str, *, force: bool = False) -> Removal:
    """Delete its files. With `force` its instances are unloaded first, whatever they are doing.

    Raises ModelNotFound, InvalidRequest (which one?), PermissionDenied for what others provide,
    ModelInUse for what is loaded.
    """
    record = await manager.find(name)
    check_removable(record)
    instances = [one for one in manager.loaded() if one.record.path == record.path]
    if instances and not force:
        names = ", ".join(f"'{one.id}'" for one in instances)
        raise ModelInUse(
            f"'{record.id}' is loaded as {names}. Unload it first, or ask with 'force'.",
            param="model",
        )
    for one in instances:
        await manager.unload(one.id, cancel_running=True)
    removal = await asyncio.to_thread(manager.store.remove, record.id)
    manager.notices.publish("models.changed", {"key": record.id})
    return removal
