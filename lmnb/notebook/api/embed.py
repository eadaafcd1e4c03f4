"""`lmnb.embed`: texts as vectors."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.api.connect import connected
from lmnb.notebook.api.question import SAY_MODEL
from lmnb.notebook.choice import choose_embedding_model
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT

if TYPE_CHECKING:
    import numpy as np

PATH = "v1/embeddings"
BATCH = 256
"""Texts in one request: the server computes them together, and an interrupt waits for no more."""


def embed(
    texts: str | Iterable[str], model: str | None = None, *, dimensions: int | None = None
) -> np.ndarray:
    """Vectors of length 1, float32, one row for each text: shape (n, d). A `str` is one text.

    `dimensions` keeps the first so many, of models that were trained for it.

        vectors = lmnb.embed(frame["title"])
        nearest = (vectors @ lmnb.embed("a question")[0]).argsort()[::-1]
    """
    client, listed = connected(), _listed(texts)
    bodies = _bodies(listed, model or _chosen(client), dimensions)
    return _array([client.json("POST", PATH, body, timeout=PATIENT) for body in bodies])


async def aembed(
    texts: str | Iterable[str], model: str | None = None, *, dimensions: int | None = None
) -> np.ndarray:
    """`lmnb.embed` for code that awaits."""
    client, listed = await asyncio.to_thread(connected), _listed(texts)
    if model is None:
        model = await asyncio.to_thread(_chosen, client)
    async with AsyncClient(client.connection) as http:
        bodies = _bodies(listed, model, dimensions)
        return _array([await http.json("POST", PATH, body, timeout=PATIENT) for body in bodies])


def _chosen(client: Client) -> str:
    return choose_embedding_model(client.models(), say=SAY_MODEL)


def _listed(texts: str | Iterable[str]) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(listed):
        if not isinstance(text, str) or not text:
            raise InvalidRequest(f"Text number {number} is no text but {text!r}.")
    if not listed:
        raise InvalidRequest("There is no text to embed.")
    return listed


def _bodies(texts: Sequence[str], model: str, dimensions: int | None) -> Iterator[dict[str, Any]]:
    more = {"dimensions": dimensions} if dimensions is not None else {}
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        yield {"model": model, "input": batch, "encoding_format": "base64", **more}


def _array(answers: Sequence[dict[str, Any]]) -> np.ndarray:
    import numpy as np

    rows = [
        np.frombuffer(b64decode(each["embedding"]), dtype="<f4")
        for answer in answers
        for each in sorted(answer["data"], key=lambda each: each["index"])
    ]
    return np.stack(rows).astype(np.float32)
