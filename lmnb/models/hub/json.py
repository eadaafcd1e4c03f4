"""The Hub's JSON becomes a HubRepo; what it does not say, or says wrongly, is left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from lmnb.errors import HubError
from lmnb.models.hub.repository import Gated, HubFacts, HubFile, HubRepo

__all__ = ["read_repo"]


class _Lfs(msgspec.Struct):
    sha256: str
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    blob_id: str | None = msgspec.field(default=None, name="blobId")
    lfs: _Lfs | None = None


class _Gguf(msgspec.Struct):
    total: int | None = None
    architecture: str | None = None
    context_length: int | None = None
    chat_template: str | None = None


class _Card(msgspec.Struct):
    license: str | list[str] | None = None


class _Model(msgspec.Struct):
    id: str
    sha: str | None = None
    siblings: list[_Sibling] | None = None
    gated: bool | str | None = None
    private: bool | None = None
    downloads: int | None = None
    likes: int | None = None
    last_modified: datetime | None = msgspec.field(default=None, name="lastModified")
    tags: list[str] | None = None
    gguf: _Gguf | None = None
    card: _Card | None = msgspec.field(default=None, name="cardData")


def read_repo(data: Any) -> HubRepo:
    """`data`: a model as `GET /api/models` lists it, or `GET /api/models/OWNER/REPO` gives it.

    Raises HubError for what is no such thing.
    """
    try:
        model = msgspec.convert(data, _Model)
    except msgspec.ValidationError as error:
        raise HubError(f"The Hub described a model in a way that makes no sense: {error}") from None
    tags = tuple(model.tags or ())
    facts = model.gguf or _Gguf()
    return HubRepo(
        id=model.id,
        revision=model.sha or "",
        files=tuple(map(_file, filter(_is_inside, model.siblings or ()))),
        gated=_gated(model.gated),
        private=bool(model.private),
        downloads=model.downloads or 0,
        likes=model.likes or 0,
        license=_license(model.card, tags),
        updated_at=model.last_modified,
        tags=tags,
        facts=HubFacts(
            architecture=facts.architecture or "",
            parameters=facts.total or 0,
            context_length=facts.context_length or 0,
            chat_template=facts.chat_template,
        ),
    )


def _is_inside(sibling: _Sibling) -> bool:
    """Its path stays in the folder that it is put into."""
    path = sibling.rfilename
    return path.isprintable() and "\\" not in path and not {"", ".", ".."} & {*path.split("/")}


def _file(sibling: _Sibling) -> HubFile:
    lfs = sibling.lfs
    return HubFile(
        path=sibling.rfilename,
        size=(lfs.size if lfs else sibling.size) or 0,
        sha256=lfs.sha256 if lfs else None,
        lfs=lfs is not None,
        oid=sibling.blob_id,
    )


def _gated(said: bool | str | None) -> Gated:
    if said == "auto":
        return "auto"
    return "manual" if said else False


def _license(card: _Card | None, tags: Iterable[str]) -> str | None:
    if card and card.license:
        return card.license if isinstance(card.license, str) else ", ".join(card.license)
    return next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), None)
