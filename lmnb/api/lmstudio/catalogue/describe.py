"""Repositories and what names mean, as JSON."""

from __future__ import annotations

from typing import Any

from lmnb.models.gguf.info import counted
from lmnb.models.gguf.template_facts import shows_thoughts, shows_tools
from lmnb.models.hub.access import endpoint
from lmnb.models.hub.hub import Adapter, Candidate, Projector, Resolution
from lmnb.service.catalogue import Entry, Offer

__all__ = ["entry", "resolution"]


def entry(one: Entry) -> dict[str, Any]:
    """A repository. What the Hub did not say is null."""
    repo, facts = one.repo, one.repo.facts
    best = one.recommended
    return {
        "id": repo.id,
        "name": repo.name,
        "publisher": repo.owner,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "updated_at": repo.updated_at.isoformat() if repo.updated_at else None,
        "license": repo.license,
        "gated": repo.gated,
        "private": repo.private,
        "architecture": facts.architecture or None,
        "params_string": counted(facts.parameters) or None,
        "context_length": facts.context_length or None,
        "capabilities": {
            "vision": bool(one.contents.projectors),
            "trained_for_tool_use": shows_tools(facts.chat_template),
            "reasoning": shows_thoughts(facts.chat_template),
        },
        "url": f"{endpoint()}/{repo.id}",
        "recommended": best.quant or None if best else None,
        "variants": [_offer(offer) for offer in one.offers],
        "projectors": [_part(part) for part in one.contents.projectors],
        "adapters": [_part(part) for part in one.contents.adapters],
    }


def _offer(offer: Offer) -> dict[str, Any]:
    variant = offer.variant
    return {
        "model": variant.model,
        "quantization": variant.quant or None,
        "files": [file.path for file in variant.files],
        "size_bytes": variant.size_bytes or None,
        "fit": offer.fit,
        "recommended": offer.recommended,
        "downloaded": offer.downloaded,
    }


def _part(part: Projector | Adapter) -> dict[str, Any]:
    return {
        "quantization": part.quant or None,
        "file": part.file.path,
        "size_bytes": part.file.size or None,
    }


def resolution(found: Resolution) -> dict[str, Any]:
    return {
        "repo": found.repo.id,
        "revision": found.repo.revision,
        "quantization": found.variant.quant or None,
        "files": [file.path for file in found.files],
        "size_bytes": found.size_bytes,
        "gated": found.repo.gated,
        "why": list(found.why),
        "certain": found.certain,
        "candidates": [_candidate(one) for one in found.candidates],
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "repo": one.repo,
        "quantization": one.quant or None,
        "downloads": one.downloads,
        "why": one.why,
    }
