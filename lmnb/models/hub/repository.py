"""What the Hub tells about a repository: its files, its licence, who may have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

__all__ = ["Gated", "HubFacts", "HubFile", "HubRepo"]

Gated = Literal[False, "auto", "manual"]
"""Whether one must accept terms first, and whether a person or a machine then says yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file at one revision. `oid` is git's hash of what git holds: of the file itself, or, where
    `lfs`, of the pointer to it; then `sha256` is that of the content. Sizes in bytes."""

    path: str
    size: int
    sha256: str | None = None
    lfs: bool = False
    oid: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def etag(self) -> str | None:
        """What the Hub sends as the file's ETag, and the cache calls its blob."""
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """What the Hub read in the header of one of the GGUF files. 0, "" and None: it did not say."""

    architecture: str = ""
    parameters: int = 0
    context_length: int = 0
    chat_template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepo:
    """A model repository at one revision. Of one that was listed, the files have no sizes."""

    id: str
    revision: str
    """The commit, 40 hexadecimal digits."""
    files: tuple[HubFile, ...] = ()
    gated: Gated = False
    private: bool = False
    downloads: int = 0
    """In the last 30 days."""
    likes: int = 0
    license: str | None = None
    updated_at: datetime | None = None
    tags: tuple[str, ...] = ()
    facts: HubFacts = HubFacts()

    @property
    def owner(self) -> str:
        """ "" for the few repositories without one."""
        return self.id.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]
