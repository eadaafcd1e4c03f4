"""GET and POST /api/v1/keys, DELETE /api/v1/keys/{id}."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body, Number
from lmnb.service.caller import Permission
from lmnb.service.keys import ApiKey

__all__ = ["KeyHandler", "KeysHandler", "NewKey"]

TEN_YEARS = 10 * 365 * 24 * 3600.0


class NewKey(Body):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    permissions: Annotated[list[Permission], Field(min_length=1)] = ["use"]
    expires_in: Annotated[Number, Field(gt=0, le=TEN_YEARS)] | None = None
    """Seconds. Without it, the key holds until it is revoked."""


class KeysHandler(ApiHandler):
    """The keys that were made, and a new one. Its text is in this answer and nowhere else."""

    @endpoint(needs="admin")
    async def get(self) -> None:
        keys = await asyncio.to_thread(self.services.keys.list)
        self.reply({"keys": [describe(key) for key in keys]})

    head = get

    @endpoint(needs="admin")
    async def post(self) -> None:
        request = await self.read(NewKey)
        key, text = await asyncio.to_thread(
            self.services.keys.create, request.name, request.permissions, request.expires_in
        )
        self.set_header("Cache-Control", "no-store")
        self.reply({**describe(key), "key": text})


class KeyHandler(ApiHandler):
    """Revoke a key: its next request is refused."""

    @endpoint(needs="admin")
    async def delete(self, id: str) -> None:
        await asyncio.to_thread(self.services.keys.revoke, id)
        self.reply({"id": id, "revoked": True})


def describe(key: ApiKey) -> dict[str, Any]:
    """Everything but what opens the door."""
    return {
        "id": key.id,
        "name": key.name,
        "permissions": list(key.permissions),
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "last_used": _iso(key.last_used),
    }


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
