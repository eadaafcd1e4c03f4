"""How each model is loaded unless a caller says otherwise: saved once, used on every path."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from lmnb.engine.options import LoadOptions
from lmnb.models.store.store import ModelRecord
from lmnb.service.database import Database, Schema

__all__ = ["Settings", "settings_key"]

log = logging.getLogger("lmnb.service")
SCHEMA = Schema(
    "load_settings",
    ("CREATE TABLE load_settings (model TEXT PRIMARY KEY, options TEXT NOT NULL)",),
)


def settings_key(record: ModelRecord) -> str:
    """What a model keeps its settings under: its id may gain an `@q4_0` when another file of the
    model arrives, and its settings shall stay its own."""
    full = f"{record.base}@{record.quant}"
    return full if record.id in (record.base, full) else record.id


class Settings:
    """Load options by model, in the database. All methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.add(SCHEMA)

    def get(self, model: str) -> dict[str, Any]:
        """What is set, by the names and with the types of `LoadOptions`."""
        with self._database.reading() as connection:
            question = "SELECT options FROM load_settings WHERE model = ?"
            row = connection.execute(question, (model,)).fetchone()
        return _known(model, msgspec.json.decode(row[0])) if row else {}

    def put(self, model: str, options: Mapping[str, Any]) -> None:
        """Only these are set from now on."""
        text = msgspec.json.encode(options).decode()
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO load_settings VALUES (?, ?)", (model, text))

    def delete(self, model: str) -> None:
        """Nothing is set any more, if anything was."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM load_settings WHERE model = ?", (model,))


def _known(model: str, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Another lmnb may have saved what this one does not know: a load goes on without it."""
    options = {}
    for name, value in saved.items():
        try:
            options[name] = getattr(msgspec.convert({name: value}, LoadOptions), name)
        except msgspec.ValidationError as error:
            log.warning("The saved setting %s=%r of %s is ignored: %s", name, value, model, error)
    return options
