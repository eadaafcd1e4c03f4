"""API keys: made, shown once, known by their hash from then on, and revoked."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import AuthenticationError, NotFound
from lmnb.service.caller import PERMISSIONS, Permission
from lmnb.service.database import Database, Schema

__all__ = ["ApiKey", "Keys", "looks_like_a_key"]

SHAPE = re.compile(r"sk-lm-([A-Za-z0-9]{8}):([A-Za-z0-9]{20})")
"""LM Studio's: its SDKs refuse to send anything else. The first part is the key's id."""
ALPHABET = string.ascii_letters + string.digits
USED_SECONDS = 60.0
"""How exact `last_used` is: not every request is worth a write."""

SCHEMA = Schema(
    "keys",
    (
        """
        CREATE TABLE keys (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            hash BLOB NOT NULL,
            permissions TEXT NOT NULL,
            created_at REAL NOT NULL,
            expires_at REAL,
            last_used REAL
        )
        """,
    ),
)
COLUMNS = "id, name, permissions, created_at, expires_at, last_used"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key once it has been shown. Times are seconds since 1970."""

    id: str
    name: str
    permissions: tuple[Permission, ...]
    created_at: float
    expires_at: float | None = None
    last_used: float | None = None


class Keys:
    """Every server of a user knows the same keys; revoking one holds at the next request.

    A key has 119 random bits, so its plain SHA-256 cannot be turned back by guessing: the slow
    hashes are for what people think up.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.add(SCHEMA)

    def create(
        self, name: str, permissions: Collection[Permission], expires_in: float | None = None
    ) -> tuple[ApiKey, str]:
        """The key, and the text of it, which nobody can ask for again."""
        now = time.time()
        key = ApiKey(
            id=_random(8),
            name=name,
            permissions=tuple(each for each in PERMISSIONS if each in permissions),
            created_at=now,
            expires_at=None if expires_in is None else now + expires_in,
        )
        text = f"sk-lm-{key.id}:{_random(20)}"
        row = (key.id, key.name, _hash(text), " ".join(key.permissions), now, key.expires_at)
        with self._database.writing() as db:
            db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
        return key, text

    def list(self) -> list[ApiKey]:
        """Those that are neither revoked nor forgotten, the oldest first."""
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM keys ORDER BY created_at").fetchall()
        return [_key(row) for row in rows]

    def revoke(self, id: str) -> None:
        """Raises NotFound."""
        with self._database.writing() as db:
            if not db.execute("DELETE FROM keys WHERE id = ?", (id,)).rowcount:
                raise NotFound(f"There is no API key '{id}'.", param="id", code="key_not_found")

    def find(self, text: str) -> ApiKey | None:
        """The key that somebody shows. Raises AuthenticationError when it has expired."""
        match = SHAPE.fullmatch(text)
        if match is None:
            return None
        with self._database.reading() as db:
            question = f"SELECT hash, {COLUMNS} FROM keys WHERE id = ?"
            row = db.execute(question, (match[1],)).fetchone()
        if row is None or not hmac.compare_digest(row[0], _hash(text)):
            return None
        key, now = _key(row[1:]), time.time()
        if key.expires_at is not None and key.expires_at <= now:
            raise AuthenticationError(
                f"The API key '{key.name}' has expired.", code="expired_api_key"
            )
        if key.last_used is None or abs(now - key.last_used) > USED_SECONDS:
            with self._database.writing() as db:
                db.execute("UPDATE keys SET last_used = ? WHERE id = ?", (now, key.id))
        return key


def looks_like_a_key(text: str) -> bool:
    """Worth a look into the database?"""
    return SHAPE.fullmatch(text) is not None


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _key(row: Sequence[Any]) -> ApiKey:
    id, name, permissions, created_at, expires_at, last_used = row
    return ApiKey(id, name, tuple(permissions.split()), created_at, expires_at, last_used)
