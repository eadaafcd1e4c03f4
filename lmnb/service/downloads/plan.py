"""From what somebody typed to a job: which files it means, and where they belong. Blocks."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol

from lmnb.errors import HubError, InvalidRequest, LmnbError
from lmnb.models.download.file import locate
from lmnb.models.download.retrying import Trouble
from lmnb.models.hub.access import endpoint
from lmnb.models.hub.resolution import Resolution
from lmnb.models.store.roots import hub_cache
from lmnb.models.wish import parse_wish
from lmnb.service.downloads.job import DownloadJob, new_id

__all__ = ["Resolver", "place_if_here", "plan"]


class Resolver(Protocol):
    """What knows which files a name means: `service.catalogue.Catalogue`."""

    def resolve(
        self, name: str, *, quantization: str | None = None, revision: str | None = None
    ) -> Resolution: ...


def plan(
    catalogue: Resolver, model: str, quantization: str | None, revision: str | None
) -> DownloadJob:
    """Raises what `Catalogue.resolve` does; InvalidRequest (`ambiguous_model`) where one would have to
    choose; GatedModel; HubError where it does not say what is needed."""
    found = catalogue.resolve(model, quantization=quantization, revision=revision)
    if not found.certain:
        raise InvalidRequest(_choices(model, found), param="model", code="ambiguous_model")
    for file in found.files:
        if not file.size:
            raise HubError(f"The Hub names no size for {file.path!r}: it cannot be verified.")
    if found.repo.gated:
        with suppress(Trouble):  # it may pass until the job begins
            locate(found.repo.id, found.repo.revision, found.files[0])
    return DownloadJob(
        id=new_id(),
        model=model,
        repository=found.repo.id,
        quantization=found.variant.quant,
        commit=found.repo.revision,
        revision=_reference(
            catalogue, found, revision or parse_wish(model, endpoint=endpoint()).revision
        ),
        files=found.files,
        cache=str(hub_cache(os.environ).expanduser().absolute()),
    )


def _reference(catalogue: Resolver, found: Resolution, asked: str) -> str:
    """What the commit is to be called in the cache. One that was asked for by its hash and is what
    `main` means is what other programs look for under that name."""
    if asked and asked != found.repo.revision:
        return asked
    if asked:
        with suppress(LmnbError):
            main = catalogue.resolve(found.repo.id, quantization=found.variant.quant or None)
            return "main" if main.repo.revision == asked else asked
    return asked or "main"


def place_if_here(job: DownloadJob) -> bool:
    """Is all of it here already? Then it is also put where users of the cache find it."""
    repo = job.repo
    if not all(repo.has_blob(file) or repo.has(job.commit, file) for file in job.files):
        return False
    try:
        job.place()
    except OSError:
        return False  # a job says better why not
    return True


def _choices(model: str, found: Resolution) -> str:
    names = [f"{one.repo}@{one.quant}" if one.quant else one.repo for one in found.candidates]
    return f"{model!r} could be any of: {', '.join(names[:8])}"
