"""`system_fingerprint`: equal where the same seed gives the same answer."""

from __future__ import annotations

import hashlib

import msgspec

from lmnb._version import __version__
from lmnb.service.instances import LoadedModel

__all__ = ["fingerprint"]


def fingerprint(model: LoadedModel) -> str:
    """Of all that an answer depends on beside the request: the programs, the file, how it is loaded."""
    facts = model.engine.facts
    parts = __version__, facts.llama_cpp, facts.description, facts.size_bytes, model.engine.options
    return f"fp_{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]}"
