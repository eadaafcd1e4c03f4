"""A model repository: commits of files, and what the Hub knows about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lmnb.models.gguf.header import InvalidGGUF, read_header

LFS_BYTES = 10_000_000
"""Other files than GGUF are in git itself up to this size."""


@dataclass(frozen=True, slots=True)
class Phantom:
    """A file that is too large to have: it is listed with this size, and cannot be fetched."""

    size: int


Content = bytes | Path | Phantom


@dataclass(frozen=True)
class File:
    path: str
    content: Content

    @cached_property
    def size(self) -> int:
        if isinstance(self.content, Path):
            return self.content.stat().st_size
        return self.content.size if isinstance(self.content, Phantom) else len(self.content)

    @property
    def lfs(self) -> bool:
        return self.path.endswith(".gguf") or self.size > LFS_BYTES

    @cached_property
    def sha256(self) -> str:
        if isinstance(self.content, Phantom):
            return hashlib.sha256(f"{self.path} {self.size}".encode()).hexdigest()
        if isinstance(self.content, Path):
            with self.content.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def blob_id(self) -> str:
        """What git calls it: of an LFS file, git has the pointer."""
        data = self.pointer if self.lfs else self.read(0, self.size)
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob_id

    @property
    def pointer(self) -> bytes:
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    def read(self, start: int, end: int) -> bytes:
        assert not isinstance(self.content, Phantom)
        if isinstance(self.content, bytes):
            return self.content[start:end]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def entry(self) -> dict[str, Any]:
        """As in a tree."""
        entry: dict[str, Any] = {
            "type": "file",
            "path": self.path,
            "size": self.size,
            "oid": self.blob_id,
        }
        if self.lfs:
            entry["lfs"] = {
                "oid": self.sha256,
                "size": self.size,
                "pointerSize": len(self.pointer),
            }
        return entry

    def sibling(self, *, blobs: bool) -> dict[str, Any]:
        """As in a model's description."""
        sibling: dict[str, Any] = {"rfilename": self.path}
        if blobs:
            sibling |= {"size": self.size, "blobId": self.blob_id}
            if self.lfs:
                sibling["lfs"] = {
                    "sha256": self.sha256,
                    "size": self.size,
                    "pointerSize": len(self.pointer),
                }
        return sibling


@dataclass
class Repository:
    """`files`: path to content. `gguf`: what the Hub read in the header; by default it does."""

    id: str
    files: Mapping[str, Content]
    downloads: int = 0
    likes: int = 0
    trending: float = 0
    license: str | None = "apache-2.0"
    gated: Literal[False, "auto", "manual"] = False
    private: bool = False
    readers: frozenset[str] = frozenset()
    """Users who may read it, where not everybody may."""
    pipeline_tag: str | None = "text-generation"
    library: str | None = None
    base_model: str | None = None
    tags: tuple[str, ...] = ()
    created: str = "2025-01-01T00:00:00.000Z"
    modified: str = "2025-06-01T00:00:00.000Z"
    gguf: dict[str, Any] | None = None
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    version_tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit(self.files)

    @property
    def author(self) -> str:
        return self.id.partition("/")[0]

    @property
    def sha(self) -> str:
        return self.branches["main"]

    def commit(self, files: Mapping[str, Content], *, branch: str = "main") -> str:
        """A new commit with these files beside, or in place of, those that are there."""
        before = self.commits.get(self.branches.get(branch, ""), {})
        after = {**before, **{path: File(path, content) for path, content in files.items()}}
        text = (
            f"{self.id} {len(self.commits)} {[(file.path, file.size) for file in after.values()]}"
        )
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = after
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, File]] | None:
        """The commit of that branch, tag or id, and its files."""
        sha = self.branches.get(revision) or self.version_tags.get(revision) or revision
        return (sha, self.commits[sha]) if sha in self.commits else None

    def all_tags(self) -> list[str]:
        tags = list(self.tags)
        if any(path.endswith(".gguf") for path in self.commits[self.sha]):
            tags.insert(0, "gguf")
        if self.base_model:
            tags += [f"base_model:{self.base_model}", f"base_model:quantized:{self.base_model}"]
        tags += [f"license:{self.license}"] if self.license else []
        return [*tags, "region:us"]

    def describe(self, revision: str = "main", *, blobs: bool = False) -> dict[str, Any] | None:
        """Everything that the Hub could say."""
        if (found := self.at(revision)) is None:
            return None
        sha, files = found
        card: dict[str, Any] = {"license": self.license} if self.license else {}
        if self.base_model:
            card["base_model"] = self.base_model
        return {
            "_id": hashlib.md5(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "modelId": self.id,
            "author": self.author,
            "sha": sha,
            "lastModified": self.modified,
            "createdAt": self.created,
            "private": self.private,
            "gated": self.gated,
            "disabled": False,
            "downloads": self.downloads,
            "downloadsAllTime": self.downloads * 5,
            "likes": self.likes,
            "trendingScore": self.trending,
            "library_name": self.library,
            "pipeline_tag": self.pipeline_tag,
            "tags": self.all_tags(),
            "cardData": card,
            "config": {},
            "gguf": self._facts(files),
            "siblings": [file.sibling(blobs=blobs) for file in files.values()],
            "spaces": [],
            "usedStorage": sum(file.size for file in files.values()),
        }

    def _facts(self, files: Mapping[str, File]) -> dict[str, Any] | None:
        if self.gguf is not None:
            return self.gguf
        for file in files.values():
            if isinstance(file.content, Path) and file.path.endswith(".gguf"):
                try:
                    return _facts_of(file.content)
                except InvalidGGUF:
                    continue
        return None


def _facts_of(path: Path) -> dict[str, Any]:
    header = read_header(path)
    metadata = header.metadata
    architecture = metadata.get("general.architecture")
    facts = {
        "total": sum(tensor.elements for tensor in header.tensors),
        "architecture": architecture,
        "context_length": metadata.get(f"{architecture}.context_length"),
        "chat_template": metadata.get("tokenizer.chat_template"),
    }
    return {name: value for name, value in facts.items() if value is not None}
