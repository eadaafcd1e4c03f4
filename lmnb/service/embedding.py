"""Texts to vectors, and documents to scores, on whatever model the caller names."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmnb.engine.events import Embedded
from lmnb.engine.options import EmbedRequest, RerankRequest
from lmnb.service.manager import ModelManager

Input = str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows of `size` 32-bit floats, little-endian."""

    model: str
    data: bytes
    size: int
    tokens: int
    """In all inputs together."""

    def rows(self) -> Iterator[bytes]:
        step = 4 * self.size
        return (self.data[at : at + step] for at in range(0, len(self.data), step))


@dataclass(frozen=True, slots=True)
class Ranking:
    """(number of the document, its score from 0 to 1), the best first."""

    model: str
    scores: tuple[tuple[int, float], ...]
    tokens: int


def floats(row: bytes) -> list[float]:
    """The numbers of a row."""
    values = array("f", row)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


async def embed(
    manager: ModelManager, model: str, inputs: Sequence[Input], dimensions: int | None = None
) -> Vectors:
    """A vector of length 1 for each of at least one input, in their order.

    Raises ModelNotFound, LoadFailed, InvalidRequest, ContextLengthExceeded, QueueFull, EngineDied.
    """
    async with manager.use(model) as loaded:
        result = await loaded.engine.embed(
            EmbedRequest(inputs=tuple(inputs), dimensions=dimensions)
        )
    size = len(result.vectors) // 4 // len(inputs)
    return Vectors(loaded.id, result.vectors, size, sum(result.tokens))


async def rerank(
    manager: ModelManager,
    model: str,
    query: str,
    documents: Sequence[str],
    *,
    field: str = "documents",
) -> Ranking:
    """How well each document answers the query. `field`: what the client calls them. Raises as
    `embed` does."""
    request = RerankRequest(query=query, documents=tuple(documents), field=field)
    async with manager.use(model) as loaded:
        result = await loaded.engine.rerank(request)
    return Ranking(loaded.id, _best_first(result), sum(result.tokens))


def _best_first(result: Embedded) -> tuple[tuple[int, float], ...]:
    scores = enumerate(floats(result.vectors))
    return tuple(sorted(scores, key=lambda one: one[1], reverse=True))
