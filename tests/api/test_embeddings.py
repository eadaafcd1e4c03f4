"""/v1/embeddings and /v1/rerank on a scripted engine: what is parsed and what is written."""

import asyncio
import base64
import struct

import openai
import pytest

from lmnb.api.openai import embeddings
from lmnb.engine.options import EmbedRequest, RerankRequest
from lmnb.errors import ContextLengthExceeded, InvalidRequest
from tests.scripted import Script
from tests.until import until

URL = "/v1/embeddings"


async def test_a_text_becomes_one_flat_vector_with_its_usage(api):
    answer = (await api.post(URL, {"input": "ab"})).json()
    assert answer["object"] == "list"
    assert answer["model"] == api.model
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    (entry,) = answer["data"]
    assert (entry["object"], entry["index"]) == ("embedding", 0)
    assert len(entry["embedding"]) == 16
    assert sum(x * x for x in entry["embedding"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("a", ("a",)),
        (["a"], ("a",)),
        (["b", "a", "b"], ("b", "a", "b")),
        ([1, 2, 3], ((1, 2, 3),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a", [3]], ("a", (3,))),
    ],
)
async def test_every_form_of_input(api, given, understood):
    answer = await api.post(URL, {"input": given})
    assert answer.status_code == 200
    assert api.engine.embeds == [EmbedRequest(inputs=understood)]
    assert [one["index"] for one in answer.json()["data"]] == list(range(len(understood)))


async def test_many_inputs_keep_their_order(api):
    texts = [chr(65 + i % 16) for i in range(500)]
    answer = (await api.post(URL, {"input": texts})).json()
    hot = [one["embedding"].index(1.0) for one in answer["data"]]
    assert hot == [ord(text) % 16 for text in texts]
    assert answer["usage"]["total_tokens"] == 500


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_an_answer_of_many_pieces_is_whole(api, monkeypatch, encoding):
    body = {"input": ["text"] * 300, "encoding_format": encoding}
    whole = await api.post(URL, body)
    monkeypatch.setattr(embeddings, "PIECE_BYTES", 1000)
    pieces = await api.post(URL, body)
    assert pieces.content == whole.content
    assert [one["index"] for one in pieces.json()["data"]] == list(range(300))
    assert pieces.headers["Content-Length"] == whole.headers["Content-Length"]


async def test_base64_is_the_same_numbers_as_little_endian_floats(api):
    body = {"input": ["one", "two words"]}
    as_floats = (await api.post(URL, {**body, "encoding_format": "float"})).json()["data"]
    as_text = (await api.post(URL, {**body, "encoding_format": "base64"})).json()["data"]
    for one, other in zip(as_floats, as_text, strict=True):
        raw = base64.b64decode(other["embedding"], validate=True)
        assert list(struct.unpack("<16f", raw)) == one["embedding"]


async def test_the_openai_client_reads_both_encodings(api):
    async with openai.AsyncOpenAI(base_url=api.url + "/v1", api_key="sk-test") as client:
        unsaid = await client.embeddings.create(model=api.model, input=["one", "two"])
        floats = await client.embeddings.create(
            model=api.model, input=["one", "two"], encoding_format="float", dimensions=16
        )
    assert [one.index for one in unsaid.data] == [0, 1]
    for one, other in zip(unsaid.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)


async def test_dimensions_reach_the_engine(api):
    answer = (await api.post(URL, {"input": "ab", "dimensions": 5})).json()
    assert len(answer["data"][0]["embedding"]) == 5
    assert api.engine.embeds[0].dimensions == 5


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [[]]}, "input[0]"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": ["a", [-1]]}, "input[1]"),
        ({"input": ["a", 5]}, "input[1]"),
        ({"input": 5}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": [True, False]}, "input[0]"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "5"}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "model": None}, "model"),
    ],
)
async def test_a_refusal_names_the_field(api, body, param):
    answer = await api.post(URL, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert f"'{param}'" in error["message"]
    assert api.engine.embeds == []


@pytest.mark.parametrize(
    "error",
    [
        ContextLengthExceeded("'input' has 600 tokens; it reads at most 512.", param="input"),
        InvalidRequest("This model cannot embed.", param="model"),
    ],
)
@pytest.mark.parametrize("path", [URL, "/v1/rerank"])
async def test_what_the_engine_refuses_is_a_400(api, path, error):
    api.script(Script(refuse=error))
    answer = await api.post(path, {"input": "a", "query": "a", "documents": ["a"]})
    assert answer.status_code == 400
    assert answer.json() == error.to_json()


async def test_an_unknown_model_is_a_404(api):
    answer = await api.post(URL, {"model": "nobody", "input": "a"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


async def test_a_client_that_leaves_ends_the_computation(api):
    api.script(Script(hold=asyncio.Event()))
    request = asyncio.ensure_future(api.post(URL, {"input": "a"}))
    await until(lambda: api.engine.embeds)
    request.cancel()
    await asyncio.wait_for(api.engine.embed_cancelled.wait(), 30)
    await until(lambda: not api.services.manager.loaded()[0].in_flight)


async def test_documents_come_back_best_first(api):
    body = {"query": "abcd", "documents": ["a", "abcd", {"text": "ab", "title": "ignored"}]}
    answer = (await api.post("/v1/rerank", body)).json()
    assert answer["results"] == [
        {"index": 1, "relevance_score": 1.0},
        {"index": 2, "relevance_score": 0.5},
        {"index": 0, "relevance_score": 0.25},
    ]
    assert answer["model"] == api.model
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert api.engine.embeds == [RerankRequest(query="abcd", documents=("a", "abcd", "ab"))]


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank"])
async def test_only_the_best_with_their_text_if_asked(api, path):
    body = {"query": "ab", "documents": ["x", "ab"], "top_n": 1, "return_documents": True}
    answer = (await api.post(path, {"model": api.model, **body})).json()
    assert answer["results"] == [{"index": 1, "relevance_score": 1.0, "document": {"text": "ab"}}]


async def test_texts_come_back_with_scores_alone_from_the_one_model(api):
    body = {"query": "abcd", "texts": ["a", "abcd", "ab"], "truncate": True}
    answer = await api.client.post("/rerank", json=body)
    assert answer.json() == [
        {"index": 1, "score": 1.0},
        {"index": 2, "score": 0.5},
        {"index": 0, "score": 0.25},
    ]
    assert api.engine.embeds[0].field == "texts"
    answer = await api.post("/rerank", {**body, "top_n": 1, "return_text": True})
    assert answer.json() == [{"index": 1, "score": 1.0, "text": "abcd"}]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": "a", "texts": []}, "texts"),
        ({"query": "a", "texts": ["a", 1]}, "texts[1]"),
        ({"query": "a", "texts": ["a"], "raw_scores": True}, "raw_scores"),
        ({"query": "a", "documents": ["a"], "model": ""}, "model"),
        ({"documents": ["a"]}, "query"),
        ({"query": "", "documents": ["a"]}, "query"),
        ({"query": "a"}, "documents"),
        ({"query": "a", "documents": []}, "documents"),
        ({"query": "a", "documents": ["a", 5]}, "documents[1]"),
        ({"query": "a", "documents": ["a", {"title": "b"}]}, "documents[1]"),
        ({"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
    ],
)
async def test_a_refused_reranking_names_the_field(api, body, param):
    answer = await api.post("/v1/rerank", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
