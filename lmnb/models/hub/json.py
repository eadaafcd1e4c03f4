"""The Hub's JSON becomes a HubRepo; what it does not say, or says wrongly, is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeGuard

from lmnb.errors import HubError
from lmnb.models.hub.repository import Gated, HubFacts, HubFile, HubRepo

__all__ = ["read_repo"]


_ID = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")
MOST = 1 << 62
"""Bytes, downloads, tokens: whoever says more is not counting."""


def read_repo(data: Any) -> HubRepo:
    """`data`: a model as `GET /api/models` lists it, or `GET /api/models/OWNER/REPO` gives it.

    Raises HubError for what is no such thing.
    """
    id = data.get("id") if isinstance(data, dict) else None
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise HubError("The Hub described a model in a way that makes no sense.")
    facts, tags = _object(data.get("gguf")), tuple(filter(_is_text, _list(data.get("tags"))))
    return HubRepo(
        id=id,
        revision=_text(data.get("sha")),
        files=tuple(file for one in _list(data.get("siblings")) if (file := _file(one))),
        gated=_gated(data.get("gated")),
        private=data.get("private") is True,
        downloads=_count(data.get("downloads")),
        likes=_count(data.get("likes")),
        license=_license(_object(data.get("cardData")).get("license"), tags),
        updated_at=_time(data.get("lastModified")),
        tags=tags,
        facts=HubFacts(
            architecture=_text(facts.get("architecture")),
            parameters=_count(facts.get("total")),
            context_length=_count(facts.get("context_length")),
            chat_template=_text(facts.get("chat_template")) or None,
        ),
    )


def _file(data: Any) -> HubFile | None:
    """None: it has no path, or one that leaves the folder that it is put into."""
    sibling, lfs = _object(data), _object(_object(data).get("lfs"))
    path = _text(sibling.get("rfilename"))
    if not path.isprintable() or "\\" in path or {"", ".", ".."} & {*path.split("/")}:
        return None
    return HubFile(
        path=path,
        size=_count(lfs.get("size")) or _count(sibling.get("size")),
        sha256=_text(lfs.get("sha256")).lower() or None,
        lfs=bool(lfs),
        oid=_text(sibling.get("blobId")) or None,
    )


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _text(value: Any) -> str:
    return value if _is_text(value) else ""


def _count(value: Any) -> int:
    return value if type(value) is int and 0 < value <= MOST else 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _time(value: Any) -> datetime | None:
    """With a zone: times are compared."""
    try:
        said = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _gated(said: Any) -> Gated:
    if said == "auto":
        return "auto"
    return "manual" if said else False


def _license(said: Any, tags: Iterable[str]) -> str | None:
    names = [said] if _is_text(said) else list(filter(_is_text, _list(said)))
    if any(names):
        return ", ".join(names)
    return next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), None)
