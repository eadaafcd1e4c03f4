"""Load options as a body has them: ours and LM Studio's names, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest

__all__ = ["asked_options"]

ALIASES = {
    "eval_batch_size": "batch_size",
    "parallel": "slots",
    "offload_kv_cache_to_gpu": "offload_kv_cache",
}
"""LM Studio's names for load options."""


def asked_options(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What `fields` says about a load, by our names and with our types. Raises InvalidRequest."""
    asked = {ALIASES.get(name, name): value for name, value in fields.items()}
    try:
        options = msgspec.convert(asked, LoadOptions)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        param = where.strip("`.") or what.partition("`")[2].strip("`") or None
        raise InvalidRequest(f"Invalid '{param}': {what}.", param=param) from None
    return {name: getattr(options, name) for name in asked}
