"""/v1/embeddings from a real model in its own process, read by the real client."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from lmnb.api.services import Services
from lmnb.service.instances import LoadedModel
from tests.api.serving import KEY, real_server
from tests.minilm import WIDTH, MiniLM
from tests.until import until

MODEL = "sentence-transformers/all-minilm-l6-v2"
ID = "text-embedding-all-minilm-l6-v2"


@dataclass
class Server:
    url: str
    services: Services
    openai: openai.AsyncOpenAI

    async def vectors(self, texts: list[str], **options: object) -> np.ndarray:
        options = {"model": MODEL, **options}
        answer = await self.openai.embeddings.create(input=texts, **options)
        assert [one.index for one in answer.data] == list(range(len(texts)))
        return np.array([one.embedding for one in answer.data])


@contextlib.asynccontextmanager
async def serve(root: Path, folder: Path) -> AsyncIterator[Server]:
    async with (
        real_server(root, folder) as (url, services),
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, http_client=http) as client,
    ):
        yield Server(url, services, client)


async def until_running(model: LoadedModel, count: int) -> None:
    for _ in range(3000):
        if (await model.engine.status()).running == count:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"never {count} requests")


@pytest.fixture
def root(minilm: Path) -> Path:
    return minilm.parents[2]


async def test_the_client_gets_the_original_s_vectors_in_order(root, minilm_original, tmp_path):
    original = MiniLM(minilm_original)
    texts = [f"{word} number {i}" for i in range(40) for word in ("cat", "Straße", "東京", "🍕 x")]
    async with serve(root, tmp_path) as server:
        vectors = await server.vectors(texts)
        floats = await server.vectors(texts, encoding_format="float")
        short = await server.vectors(texts[:2], dimensions=8)
        usage = (await server.openai.embeddings.create(model=MODEL, input=texts[:3])).usage
    assert vectors.shape == (len(texts), WIDTH)
    for at in (0, 1, 2, 3, 97, len(texts) - 1):
        assert vectors[at] @ original.embed(texts[at]) > 0.9995
    assert floats == pytest.approx(vectors, abs=1e-6)
    assert np.linalg.norm(short, axis=1) == pytest.approx(1, abs=1e-6)
    tokens = sum(len(original.tokenize(text)) for text in texts[:3])
    assert (usage.prompt_tokens, usage.total_tokens) == (tokens, tokens)


async def test_lm_studio_s_name_for_it(root, tmp_path):
    async with serve(root, tmp_path) as server:
        vectors = await server.vectors(["a"], model="text-embedding-all-minilm-l6-v2")
        assert vectors.shape == (1, WIDTH)
        assert [one.id for one in server.services.manager.loaded()] == [ID]


async def test_what_an_embedding_model_cannot_do_is_a_400(root, tmp_path):
    async with serve(root, tmp_path) as server:
        with pytest.raises(openai.BadRequestError, match="does not generate text") as chat:
            await server.openai.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Hi"}]
            )
        with pytest.raises(openai.BadRequestError, match=r"513.*512") as long:
            await server.vectors(["b", "a " * 511])
        body = {"model": MODEL, "query": "a", "documents": ["b"]}
        with pytest.raises(openai.BadRequestError, match="no reranker"):
            await server.openai.post("/rerank", body=body, cast_to=object)
    assert chat.value.param == "model"
    assert (long.value.param, long.value.code) == ("input[1]", "context_length_exceeded")


async def test_a_model_that_writes_text_says_that_it_cannot_embed(tiny_model, tmp_path):
    async with serve(tiny_model("llama"), tmp_path) as server:
        with pytest.raises(openai.BadRequestError, match="cannot embed"):
            await server.vectors(["a"], model="tiny-llama")


async def test_a_client_that_leaves_stops_the_engine(root, tmp_path):
    async with serve(root, tmp_path) as server:
        await server.vectors(["a"])
        (model,) = server.services.manager.loaded()
        asking = asyncio.ensure_future(server.vectors(["some words " * 100] * 2000))
        await until_running(model, 1)
        asking.cancel()
        await until_running(model, 0)
        await until(lambda: not model.in_flight)


async def test_an_engine_that_dies_fails_the_request_and_the_next_has_a_new_one(root, tmp_path):
    async with serve(root, tmp_path) as server:
        await server.vectors(["a"])
        (model,) = server.services.manager.loaded()
        client = server.openai.with_options(max_retries=0)
        request = client.embeddings.create(model=MODEL, input=["some words " * 100] * 2000)
        task = asyncio.ensure_future(request)
        await until_running(model, 1)
        os.kill(model.engine.pid, signal.SIGKILL)
        with pytest.raises(openai.InternalServerError) as error:
            await task
        assert error.value.code == "engine_died"
        assert (await server.vectors(["a"])).shape == (1, WIDTH)
