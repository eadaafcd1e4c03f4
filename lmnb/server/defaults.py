"""What `LMNB_*` variables say of loads and downloads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from lmnb.engine.limits import check_load
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.memory.fit import GUARDRAILS, Guardrail
from lmnb.server.environment import choice, number
from lmnb.service.downloads.downloads import DOWNLOADS

__all__ = ["MOST_DOWNLOADS", "default_guardrail", "downloads_at_once", "load_options"]

MOST_DOWNLOADS = 32


def default_guardrail(environ: Mapping[str, str] = os.environ) -> Guardrail:
    """`LMNB_GUARDRAIL`. Raises InvalidRequest."""
    return choice(environ, "LMNB_GUARDRAIL", GUARDRAILS, default="balanced")


def downloads_at_once(environ: Mapping[str, str] = os.environ) -> int:
    """`LMNB_DOWNLOADS`. Raises InvalidRequest."""
    return number(environ, "LMNB_DOWNLOADS", least=1, most=MOST_DOWNLOADS) or DOWNLOADS


def load_options(
    settings: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> LoadOptions:
    """How models are loaded unless a caller says otherwise: `settings`, then `LMNB_SLOTS` and the
    like. Text is read as JSON where it is JSON. Raises InvalidRequest."""
    names = LoadOptions.__struct_fields__
    given: dict[str, Any] = {name: environ.get(f"LMNB_{name.upper()}") or None for name in names}
    given |= {name: value for name, value in settings.items() if value is not None}
    values = {name: _value(value) for name, value in given.items() if value is not None}
    try:
        options = msgspec.convert(values, LoadOptions)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).partition(" - at ")
        name = place.strip("`$.").partition("[")[0]
        raise InvalidRequest(
            f"The load option '{name}' (LMNB_{name.upper()} in the environment) is wrong: {wrong}."
        ) from None
    check_load(options)
    return options


def _value(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
