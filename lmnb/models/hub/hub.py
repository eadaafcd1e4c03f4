"""The Hugging Face Hub: what is there, and which of it a name means. Everything here blocks.

It asks through huggingface_hub's own client, headers, token and errors; not through `HfApi`, whose
search waits for ever for a Hub that has stalled, and cannot go on from where a page ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

from lmnb.errors import LmnbError, ModelNotFound
from lmnb.models.fit import ANY, Memory, recommended
from lmnb.models.hub.access import endpoint, get, token
from lmnb.models.hub.json import read_repo
from lmnb.models.hub.picking import Pick, pick
from lmnb.models.hub.ranking import Ranked, is_certain, rank, words
from lmnb.models.hub.recent import Recent
from lmnb.models.hub.repository import Gated, HubFacts, HubFile, HubRepo
from lmnb.models.hub.resolution import Candidate, Resolution
from lmnb.models.hub.searching import HubSearch, Page, read_page
from lmnb.models.hub.variants import Adapter, Contents, Projector, Variant, contents
from lmnb.models.quant_names import choose, split_quant
from lmnb.models.wish import Wish, parse_wish

__all__ = [
    "Adapter",
    "Candidate",
    "Contents",
    "Gated",
    "Hub",
    "HubFacts",
    "HubFile",
    "HubRepo",
    "HubSearch",
    "Memory",
    "Page",
    "Projector",
    "Resolution",
    "Variant",
    "contents",
]

KEPT_SECONDS = 300.0
LOOKED_AT = 50
"""Repositories that a short name is compared with: the most downloaded that have its words."""
SHOWN = 8


class Hub:
    """One per server. What it was told it remembers for five minutes.

    All methods raise ModelNotFound, GatedModel, PermissionDenied, HubRateLimited, HubUnreachable and
    HubError, each of which says what to do.
    """

    def __init__(self) -> None:
        self._repos: Recent[HubRepo] = Recent(KEPT_SECONDS, 512)
        self._pages: Recent[Page] = Recent(KEPT_SECONDS, 64)

    def repo(self, id: str, revision: str | None = None) -> HubRepo:
        """A repository with its files, their sizes and hashes, at a branch, tag or commit."""
        path = f"/api/models/{quote(id)}"
        if revision:
            path += f"/revision/{quote(revision, safe='')}"

        def ask() -> HubRepo:
            return read_repo(get(path, {"blobs": "true"}, about=id)[0])

        return self._repos.get((endpoint(), token(), id, revision), ask)

    def search(self, search: HubSearch) -> Page:
        """GGUF repositories with their files' sizes and hashes."""

        def ask() -> Page:
            return read_page(search, self._detailed)

        return self._pages.get((endpoint(), token(), search), ask)

    def _detailed(self, repos: Sequence[HubRepo]) -> list[HubRepo]:
        """Lists come without sizes. A repository that will not say more stays without."""

        def ask(repo: HubRepo) -> HubRepo:
            try:
                whole = self.repo(repo.id)
            except LmnbError:
                return repo
            return replace(whole, facts=repo.facts if repo.facts.architecture else whole.facts)

        with ThreadPoolExecutor(8, "lmnb-hub") as pool:
            return list(pool.map(ask, repos))

    def resolve(
        self,
        name: str,
        *,
        quantization: str | None = None,
        revision: str | None = None,
        memory: Memory | None = None,
    ) -> Resolution:
        """What `name` means, in the quantisation asked for or else the one recommended for `memory`.

        Raises InvalidRequest for what is no name, and what the class says.
        """
        wish = parse_wish(name, endpoint=endpoint())
        if quantization and not wish.file:
            wish = replace(wish, quant=quantization)
        wish = replace(wish, revision=revision or wish.revision)
        if not wish.owner:
            return self._named(wish, memory)
        try:
            repo = self.repo(wish.repo, wish.revision or None)
            picked = pick(repo, contents(repo.files), wish, memory)
        except ModelNotFound as error:
            return self._instead(wish, memory, error)
        return _resolution(repo, picked, (f"{repo.id} was asked for",))

    def _named(self, wish: Wish, memory: Memory | None) -> Resolution:
        ranked = self._alike(wish.name)
        name, quant = split_quant(wish.name)
        if not ranked and quant:
            wish = replace(wish, name=name, quant=wish.quant or quant)
            ranked = self._alike(name)
        if not ranked:
            raise ModelNotFound(
                f"No GGUF repository on the Hub has all the words of {wish.name!r} in its name.",
                param="model",
            )
        ranked = [one for one in ranked if _has(one.repo, wish.quant)] or ranked
        return self._first(ranked, wish, memory, (), is_certain(ranked))

    def _instead(self, wish: Wish, memory: Memory | None, error: ModelNotFound) -> Resolution:
        """Others who have the model that a repository does not have, or that does not exist."""
        if wish.file or wish.revision or error.param != "model":
            raise error
        ranked = [one for one in self._alike(wish.name) if one.repo.id != wish.repo]
        if not ranked:
            raise error
        return self._first(ranked, wish, memory, (error.message,), False)

    def _first(
        self,
        ranked: Sequence[Ranked],
        wish: Wish,
        memory: Memory | None,
        why: tuple[str, ...],
        certain: bool,
    ) -> Resolution:
        best = ranked[0]
        repo = self.repo(best.repo.id, wish.revision or None)
        picked = pick(repo, contents(repo.files), wish, memory)
        found = _resolution(repo, picked, (*why, f"{repo.id}: {best.why}"))
        candidates = tuple(map(_candidate, ranked[:SHOWN]))
        if not (certain and picked.fits):
            return replace(found, certain=False, candidates=candidates + found.candidates)
        return replace(found, candidates=found.candidates or candidates)

    def _alike(self, name: str) -> list[Ranked]:
        """The Hub compares letters: other spellings of the name are tried until one is known."""
        spellings = (name, "-".join(words(name)), " ".join(words(name)), *words(name)[:1])
        for spelling in dict.fromkeys(spellings):
            if ranked := rank(name, self._listed(spelling)):
                return ranked
        return []

    def _listed(self, query: str) -> list[HubRepo]:
        """The most downloaded with those letters that have a model, without sizes."""
        search = HubSearch(query=query, limit=LOOKED_AT)
        key = (endpoint(), token(), search, "listed")
        page = self._pages.get(key, lambda: read_page(search, lambda repos: repos))
        return [repo for repo in page.repos if contents(repo.files).variants]


def _resolution(repo: HubRepo, picked: Pick, why: tuple[str, ...]) -> Resolution:
    here = contents(repo.files)
    return Resolution(
        repo=repo,
        variant=picked.variant,
        projector=here.projector(picked.variant) if picked.variant in here.variants else None,
        why=(*why, picked.why),
        candidates=tuple(
            Candidate(f"{repo.id}/{one.files[0].path}", "", repo.downloads, "it is there too")
            for one in picked.others
        ),
        certain=picked.certain,
    )


def _has(repo: HubRepo, quant: str) -> bool:
    return not quant or bool(choose(quant, (one.quant for one in contents(repo.files).variants)))


def _candidate(ranked: Ranked) -> Candidate:
    repo = ranked.repo
    usual = recommended(contents(repo.files).variants, ANY)
    return Candidate(repo.id, usual.quant if usual else "", repo.downloads, ranked.why)
