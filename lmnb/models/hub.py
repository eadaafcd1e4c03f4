"""The Hugging Face Hub: what is there, and which of it a name means. Everything here blocks."""

from __future__ import annotations

from lmnb.models.repository import Gated, HubFacts, HubFile, HubRepo
from lmnb.models.resolution import Candidate, Resolution
from lmnb.models.variants import Adapter, Contents, Projector, Variant

__all__ = [
    "Adapter",
    "Candidate",
    "Contents",
    "Gated",
    "HubFacts",
    "HubFile",
    "HubRepo",
    "Projector",
    "Resolution",
    "Variant",
]
