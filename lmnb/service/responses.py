"""Stored responses and conversations.

Every call blocks; callers on the event loop use a thread. Values are JSON that the dialect wrote:
what they mean is not known here.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lmnb.service.database import Database, Schema
from lmnb.service.owner import is_gone, this_process

__all__ = ["ResponseStore", "StoredResponse", "Turn"]

decode, encode = msgspec.json.decode, msgspec.json.encode
Item = dict[str, Any]

SCHEMA = Schema(
    "responses",
    (
        """
CREATE TABLE responses (
    id TEXT PRIMARY KEY,
    previous TEXT,
    owner TEXT,
    response BLOB NOT NULL,
    input BLOB NOT NULL,
    events BLOB
);
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    metadata BLOB NOT NULL
);
CREATE TABLE conversation_items (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    item BLOB NOT NULL
);
CREATE INDEX conversation_order ON conversation_items (conversation, position)
        """,
    ),
)
CHAIN = """
WITH RECURSIVE chain (id, previous, input, response, depth) AS (
    SELECT id, previous, input, response, 0 FROM responses WHERE id = ?
    UNION ALL
    SELECT r.id, r.previous, r.input, r.response, chain.depth + 1
    FROM responses r JOIN chain ON r.id = chain.previous
)
SELECT previous, input, response FROM chain ORDER BY depth DESC
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one response was asked, and what it answered."""

    input: list[Item]
    output: list[Item]
    status: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    response: dict[str, Any]
    input: list[Item]
    orphaned: bool
    """The server that wrote it ended before the response did."""


class ResponseStore:
    """Safe in threads, and beside other servers on the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.add(SCHEMA)

    # -- responses

    def save(
        self,
        response: dict[str, Any],
        input: Sequence[Item],
        *,
        events: Sequence[bytes] = (),
        unfinished: bool = False,
    ) -> None:
        """Insert or replace. `unfinished`: this process is still writing it."""
        row = (
            response["id"],
            response["previous_response_id"],
            this_process() if unfinished else None,
            encode(response),
            encode(input),
            zlib.compress(b"\n".join(events), 1) if events else None,
        )
        with self._database.writing() as db:
            db.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)", row)

    def get(self, id: str) -> StoredResponse | None:
        with self._database.reading() as db:
            row = db.execute(
                "SELECT response, input, owner FROM responses WHERE id = ?", (id,)
            ).fetchone()
        if row is None:
            return None
        return StoredResponse(decode(row[0]), decode(row[1]), orphaned=is_gone(row[2]))

    def events(self, id: str) -> list[bytes]:
        """The JSON of each event of a finished response, in order."""
        with self._database.reading() as db:
            row = db.execute("SELECT events FROM responses WHERE id = ?", (id,)).fetchone()
        return zlib.decompress(row[0]).split(b"\n") if row and row[0] else []

    def delete(self, id: str) -> bool:
        """True if it was there."""
        with self._database.writing() as db:
            return db.execute("DELETE FROM responses WHERE id = ?", (id,)).rowcount > 0

    def chain(self, id: str) -> list[Turn] | None:
        """Every turn from the first to `id`. None when one of them is not stored (any more)."""
        with self._database.reading() as db:
            rows = db.execute(CHAIN, (id,)).fetchall()
        if not rows or rows[0][0] is not None:
            return None
        said = [decode(row[2]) for row in rows]
        return [
            Turn(decode(row[1]), response["output"], response["status"])
            for row, response in zip(rows, said, strict=True)
        ]

    # -- conversations

    def create_conversation(self, id: str, metadata: dict[str, str]) -> None:
        with self._database.writing() as db:
            row = (id, int(time.time()), encode(metadata))
            db.execute("INSERT INTO conversations VALUES (?, ?, ?)", row)

    def conversation(self, id: str) -> tuple[int, dict[str, str]] | None:
        """When it was made, and its metadata."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT created_at, metadata FROM conversations WHERE id = ?", (id,)
            ).fetchone()
        return (row[0], decode(row[1])) if row else None

    def update_conversation(self, id: str, metadata: dict[str, str]) -> None:
        with self._database.writing() as db:
            db.execute("UPDATE conversations SET metadata = ? WHERE id = ?", (encode(metadata), id))

    def delete_conversation(self, id: str) -> bool:
        """Its items go with it. True if it was there."""
        with self._database.writing() as db:
            return db.execute("DELETE FROM conversations WHERE id = ?", (id,)).rowcount > 0

    def conversation_items(self, id: str) -> list[Item]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT item FROM conversation_items WHERE conversation = ? ORDER BY position",
                (id,),
            ).fetchall()
        return [decode(row[0]) for row in rows]

    def add_items(self, conversation: str, items: Sequence[Item]) -> bool:
        """All or none. False when the conversation is gone."""
        rows = [(conversation, item["id"], encode(item)) for item in items]
        statement = "INSERT INTO conversation_items (conversation, id, item) VALUES (?, ?, ?)"
        try:
            with self._database.writing() as db:
                db.executemany(statement, rows)
        except sqlite3.IntegrityError:
            return False
        return True

    def delete_item(self, conversation: str, id: str) -> bool:
        with self._database.writing() as db:
            statement = "DELETE FROM conversation_items WHERE conversation = ? AND id = ?"
            deleted = db.execute(statement, (conversation, id)).rowcount
        return deleted > 0
