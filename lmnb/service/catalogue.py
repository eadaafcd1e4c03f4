"""The Hub as this machine sees it: what fits, what is here already, what to take. All blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lmnb.errors import ModelNotFound
from lmnb.models.fit import Fit, Memory, fit, needed, parameters_of, recommended
from lmnb.models.hub.access import endpoint
from lmnb.models.hub.hub import Contents, Hub, HubRepo, HubSearch, Resolution, Variant, contents
from lmnb.models.memory.need import Machine
from lmnb.models.store.store import ModelRecord, ModelStore
from lmnb.models.wish import parse_wish

__all__ = ["Catalogue", "Entry", "Offer"]

Here = frozenset[tuple[str, str, str]]
"""(owner, repository, file name) of the models on this machine, in lower case."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant. `fit` None: the Hub did not tell its size."""

    variant: Variant
    fit: Fit | None
    recommended: bool
    downloaded: bool


@dataclass(frozen=True, slots=True)
class Entry:
    repo: HubRepo
    contents: Contents
    offers: tuple[Offer, ...]

    @property
    def recommended(self) -> Variant | None:
        return next((offer.variant for offer in self.offers if offer.recommended), None)


class Catalogue:
    """`look` says what memory there is now. Errors are those of `Hub`."""

    def __init__(self, hub: Hub, store: ModelStore, look: Callable[[], Machine]) -> None:
        self._hub = hub
        self._store = store
        self._look = look

    def search(self, search: HubSearch) -> tuple[list[Entry], str | None]:
        """One page, and where the next begins. `query` may be a repository's name or address too."""
        if "/" in search.query:
            wish = parse_wish(search.query, endpoint=endpoint())
            try:
                return [self.entry(wish.repo)], None
            except ModelNotFound:
                search = replace(search, query=wish.name, owner=wish.owner)
        page = self._hub.search(search)
        here, memory = _here(self._store.list()), self._memory()
        return [_entry(repo, here, memory) for repo in page.repos], page.following

    def entry(self, id: str) -> Entry:
        """One repository, whether it has a model or not."""
        return _entry(self._hub.repo(id), _here(self._store.list()), self._memory())

    def resolve(
        self, name: str, *, quantization: str | None = None, revision: str | None = None
    ) -> Resolution:
        """What `name` means on the Hub, for this machine's memory."""
        return self._hub.resolve(
            name, quantization=quantization, revision=revision, memory=self._memory()
        )

    def _memory(self) -> Memory:
        return Memory.of(self._look())


def _here(records: Iterable[ModelRecord]) -> Here:
    return frozenset(
        (record.name.publisher, record.name.repository, file.name.lower())
        for record in records
        for file in record.files
    )


def _entry(repo: HubRepo, here: Here, memory: Memory) -> Entry:
    inside = contents(repo.files)
    sized = [one for one in inside.variants if one.size_bytes]
    best = recommended(sized, memory, repo.facts.parameters)

    def offer(variant: Variant) -> Offer:
        projector = inside.projector(variant)
        parameters = repo.facts.parameters or parameters_of(variant)
        need = needed(variant.size_bytes, parameters, projector.file.size if projector else 0)
        return Offer(
            variant,
            fit(need, memory) if variant.size_bytes else None,
            variant is best,
            all(
                (repo.owner.lower(), repo.name.lower(), file.name.lower()) in here
                for file in variant.files
            ),
        )

    return Entry(repo, inside, tuple(map(offer, inside.variants)))
