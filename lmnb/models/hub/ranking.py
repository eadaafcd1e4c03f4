"""Which repositories a short name means, the likeliest first.

1. Every word asked for is in the repository's name, sizes and versions exactly: `1b` is not `12b`.
2. The fewer words besides, the better. What says how a file was made (`GGUF`), that a model follows
   instructions (`it`, `instruct`, `chat`) or who made it (`google`) is no word besides.
3. Models that follow instructions come before base models, unless `base` or `pt` is asked for.
4. Publishers in `PUBLISHERS` come before others.
5. More downloads come before fewer.

It is certain that the first is meant when it has no words besides, and its publisher is known or
nobody else has one like it. Otherwise somebody has to choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lmnb.models.hub.repository import HubRepo
from lmnb.models.quant_names import split_quant

__all__ = ["PUBLISHERS", "Ranked", "is_certain", "name_words", "rank", "words"]

PUBLISHERS = frozenset(
    # who converts other people's models, carefully and for years
    "lmstudio-community ggml-org unsloth bartowski mradermacher maziyarpanahi quantfactory thebloke "
    # who publishes their own models as GGUF
    "google qwen meta-llama mistralai microsoft ibm-granite huggingfacetb openai deepseek-ai nvidia "
    "liquidai allenai tiiuae coherelabs zai-org nomic-ai baai mixedbread-ai jinaai".split()
)
"""Known publishers, in lower case. Being here means that a name of theirs says what is in it."""

INSTRUCT = frozenset({"it", "instruct", "chat"})
BASE = frozenset({"base", "pt", "pretrained"})
_MADE = frozenset({"gguf", "ggml", "quantized", "imat", "i1"})
_MAKERS = frozenset({"google", "ibm", "meta", "microsoft", "mistralai", "nvidia", "openai"})

_WORD = re.compile(
    r"(?<![a-z])[aei]\d+(?:\.\d+)?[bm]?(?![a-z0-9])"  # a3b: active weights; e2b; i1
    r"|\d+x\d+(?:\.\d+)?b"  # 8x7b
    r"|\d+(?:\.\d+)*(?:[bmkn](?![a-z]))?"  # 1b, 3.2, 3n
    r"|[^\W\d_]+"
)


def words(name: str) -> list[str]:
    """`Qwen2.5-7B-Instruct`, `qwen 2.5 7b instruct`: qwen, 2.5, 7b, instruct."""
    return _WORD.findall(name.lower())


def name_words(name: str) -> frozenset[str]:
    """The words of a repository's or a file's name, without those that say how it was made."""
    return frozenset(words(split_quant(re.sub(r"[-_.]gguf$", "", name.lower()))[0])) - _MADE


@dataclass(frozen=True, slots=True)
class Ranked:
    """A repository that has all words asked for."""

    repo: HubRepo
    besides: tuple[str, ...]
    """Words that were not asked for."""
    kind: int
    """0: what is wanted of instruct and base; 1: its name does not say; 2: the other."""
    known: bool

    @property
    def order(self) -> tuple[int, int, bool, int, int, str]:
        repo = self.repo
        return (
            len(self.besides),
            self.kind,
            not self.known,
            -repo.downloads,
            -repo.likes,
            repo.id.lower(),
        )

    @property
    def why(self) -> str:
        """In a line."""
        named = "its name is the one asked for"
        if self.besides:
            named = f"its name also says {' '.join(self.besides)}"
        publisher = "a known publisher" if self.known else "not a known publisher"
        kind = "" if self.kind < 2 else "not the kind (instruct or base) that was asked for, "
        return f"{named}, {kind}{self.repo.owner} is {publisher}, {self.repo.downloads:,} downloads"


def rank(name: str, repos: Iterable[HubRepo]) -> list[Ranked]:
    """Those of `repos` that `name` may mean."""
    asked = frozenset(words(name)) - _MADE
    found = (_judge(asked, repo) for repo in repos)
    return sorted((one for one in found if one), key=lambda one: one.order)


def is_certain(ranked: Sequence[Ranked]) -> bool:
    """That the first is meant. `ranked` is not empty."""
    best = ranked[0]
    alike = [one for one in ranked if not one.besides]
    return not best.besides and (best.known or len(alike) == 1)


def _judge(asked: frozenset[str], repo: HubRepo) -> Ranked | None:
    here = name_words(repo.name)
    kinds = INSTRUCT | BASE
    wants_base = bool(asked & BASE)
    if not asked - kinds <= here | frozenset(words(repo.owner)):
        return None
    if asked & INSTRUCT and not here & INSTRUCT:
        return None
    extra = here - asked - kinds - _MAKERS - _makers(repo)
    if here & BASE:
        kind = 0 if wants_base else 2
    elif here & INSTRUCT or repo.facts.chat_template:
        kind = 2 if wants_base else 0
    else:
        kind = 1
    besides = tuple(dict.fromkeys(word for word in words(repo.name) if word in extra))
    return Ranked(repo, besides, kind, repo.owner.lower() in PUBLISHERS)


def _makers(repo: HubRepo) -> frozenset[str]:
    """Words of who made it: `bartowski/google_gemma-3-1b-it-GGUF` is Google's."""
    bases = (tag.rpartition(":")[2] for tag in repo.tags if tag.startswith("base_model:"))
    return frozenset(word for base in bases if "/" in base for word in words(base.split("/")[0]))
