"""Models on the Hub, and files on the disk."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from lmnb.models.fit import Fit


class HubCapabilities(TypedDict):
    vision: bool
    trained_for_tool_use: bool
    reasoning: bool


class HubVariant(TypedDict):
    model: str
    quantization: str | None
    files: list[str]
    size_bytes: int | None
    fit: Fit | None
    recommended: bool
    downloaded: bool


class HubPart(TypedDict):
    quantization: str | None
    file: str
    size_bytes: int | None


class HubModel(TypedDict):
    id: str
    name: str
    publisher: str
    downloads: int
    likes: int
    updated_at: str | None
    license: str | None
    gated: Literal[False, "auto", "manual"]
    private: bool
    architecture: str | None
    params_string: str | None
    context_length: int | None
    capabilities: HubCapabilities
    url: str
    recommended: str | None
    variants: list[HubVariant]
    projectors: list[HubPart]
    adapters: list[HubPart]


class HubModelList(TypedDict):
    models: list[HubModel]
    next_cursor: str | None


class HubRepository(HubModel):
    readme_url: str | None


class HubCandidate(TypedDict):
    repo: str
    quantization: str | None
    downloads: int
    why: str


class HubResolution(TypedDict):
    repo: str
    revision: str
    quantization: str | None
    files: list[str]
    size_bytes: int
    gated: Literal[False, "auto", "manual"]
    why: list[str]
    certain: bool
    candidates: list[HubCandidate]


class DeletedModel(TypedDict):
    key: str
    freed_bytes: int
    files: list[str]


class DuplicateCopy(TypedDict):
    model: str
    path: str


class Duplicate(TypedDict):
    sha256: str
    size_bytes: int
    wasted_bytes: int
    copies: list[DuplicateCopy]


class DuplicateList(TypedDict):
    duplicates: list[Duplicate]
    wasted_bytes: int
