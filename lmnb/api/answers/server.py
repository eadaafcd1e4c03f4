"""The server's own port, its keys, its log."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from lmnb.service.caller import Permission


class Greeting(TypedDict):
    lmstudio: Literal[True]


class Listener(TypedDict):
    running: bool
    host: str | None
    port: int | None
    base_url: str | None
    cors: bool
    key_required: bool
    error: str | None


class Key(TypedDict):
    id: str
    name: str
    permissions: list[Permission]
    created_at: str
    expires_at: str | None
    last_used: str | None


class KeyList(TypedDict):
    keys: list[Key]


class CreatedKey(Key):
    key: str


class RevokedKey(TypedDict):
    id: str
    revoked: Literal[True]


class LogEntry(TypedDict):
    timestamp: int
    data: dict[str, Any]


class LogEntries(TypedDict):
    log: list[LogEntry]
