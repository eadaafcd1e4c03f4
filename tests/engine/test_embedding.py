"""Vectors and scores from real models: as the original computes them, whatever shares their batch."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from lmnb.engine.events import Embedded, Failed
from lmnb.engine.opening import open_runner
from lmnb.engine.options import EmbedRequest, LoadOptions, RerankRequest
from lmnb.engine.vector_runner import VectorRunner
from tests.engine.driver import LOG, request
from tests.minilm import WIDTH, MiniLM, write_gguf

TEXTS = (
    "The cat sat on the mat.",
    "Über den Wölkchen muß die Freiheit wohl größer sein, Straße für Straße.",
    "吾輩は猫である。名前はまだ無い。東京タワー",
    "I ❤️ pizza 🍕👩‍👩‍👧 and naïve cafés — really…",
    "def f(x: int) -> int:\n\treturn x**2  # squared\n",
    "[CLS] is a mark, and so is [MASK].",
    "word " * 150,
    "   ",
)
_ids = itertools.count(1)


def load(path: Path, wake: Callable[[], None] = lambda: None, **options: object) -> VectorRunner:
    runner = open_runner(str(path), LoadOptions(**options), LOG, wake=wake)  # type: ignore[arg-type]
    assert isinstance(runner, VectorRunner)
    return runner


def finish(runner: VectorRunner, started: list) -> Embedded | Failed:
    events = list(started)
    while runner.busy:
        events += runner.step()
    (end,) = events
    assert isinstance(end, Embedded | Failed)
    return end


def embed(runner: VectorRunner, *inputs: str | tuple[int, ...], size: int | None = None):
    wanted = EmbedRequest(inputs=inputs, dimensions=size)
    end = finish(runner, runner.embed(next(_ids), wanted))
    assert isinstance(end, Embedded), end
    return np.frombuffer(end.vectors, "<f4").reshape(len(inputs), -1), end.tokens


def refusal(runner: VectorRunner, *inputs: str | tuple[int, ...], size: int | None = None):
    end = finish(runner, runner.embed(next(_ids), EmbedRequest(inputs=inputs, dimensions=size)))
    assert isinstance(end, Failed)
    return end


@pytest.fixture(scope="module")
def original(minilm_original: Path) -> MiniLM:
    return MiniLM(minilm_original)


@pytest.fixture(scope="module")
def runner(minilm: Path) -> Iterator[VectorRunner]:
    runner = load(minilm)
    yield runner
    runner.close()


def test_an_embedding_model_is_loaded_as_one_without_being_told(runner):
    facts = runner.facts
    assert (facts.pooling, facts.embedding_length, facts.context_length) == ("mean", WIDTH, 512)
    assert (facts.pooling, facts.can_generate) == ("mean", False)


@pytest.mark.parametrize("text", TEXTS)
def test_the_token_ids_are_the_original_s(runner, original, text):
    ids = runner.model.vocab.tokenize(text, add_special=True, parse_special=True)
    assert ids == original.tokenize(text)


def test_the_vectors_are_the_original_s(runner, original):
    vectors, tokens = embed(runner, *TEXTS)
    for text, vector, count in zip(TEXTS, vectors, tokens, strict=True):
        assert count == len(original.tokenize(text))
        assert vector @ original.embed(text) > 0.9995, text
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_vector_is_the_same_alone_and_in_any_batch(runner):
    """llama-server gives another one in another slot (cosine 0.86)."""
    together, _ = embed(runner, *TEXTS * 3)
    backwards, _ = embed(runner, *TEXTS[::-1])
    for text, one, other in zip(TEXTS, together, backwards[::-1], strict=False):
        alone = embed(runner, text)[0][0]
        assert alone @ one > 0.99999
        assert alone @ other > 0.99999


@pytest.mark.parametrize("length", [38, 39, 62, 63, 64, 65])
def test_a_text_that_nearly_fills_a_tile_keeps_its_vector_and_its_count(runner, original, length):
    """Flash attention computes 64 tokens at once; nobody sees what fills them up."""
    text = "a " * (length - 2)
    before = runner.status().prompt_tokens
    vectors, tokens = embed(runner, text)
    assert tokens == (length,)
    assert runner.status().prompt_tokens == before + length
    assert vectors[0] @ original.embed(text) > 0.9995


def test_token_ids_are_taken_as_they_are(runner, original):
    ids = tuple(original.tokenize(TEXTS[0]))
    vectors, tokens = embed(runner, TEXTS[0], ids, ids[1:-1])
    assert vectors[0] @ vectors[1] > 0.99999
    assert vectors[0] @ vectors[2] < 0.999
    assert tokens == (len(ids), len(ids), len(ids) - 2)


def test_fewer_dimensions_are_the_first_ones_at_length_one(runner):
    whole, short = embed(runner, TEXTS[0])[0][0], embed(runner, TEXTS[0], size=7)[0][0]
    assert short == pytest.approx(whole[:7] / np.linalg.norm(whole[:7]), abs=1e-6)


def test_the_longest_text_fits_and_one_token_more_is_refused_with_both_numbers(runner):
    """Cutting it off would lose the [SEP] that the model looks for, and nobody would know."""
    assert embed(runner, "a " * 510)[1] == (512,)
    error = refusal(runner, "b", "a " * 511)
    assert error.kind == "ContextLengthExceeded"
    assert error.param == "input[1]"
    assert "513" in error.message
    assert "512" in error.message


def test_a_shorter_context_is_honoured(minilm):
    runner = load(minilm, context_length=10)
    try:
        assert runner.facts.context_length == 10
        assert embed(runner, "a " * 8)[1] == (10,)
        assert "10" in refusal(runner, "a " * 9).message
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("inputs", "size", "param"),
    [
        (((30522,),), None, "input"),
        (((),), None, "input"),
        ((), None, "input"),
        (("a",) * 16385, None, "input"),
        (("a",), 385, "dimensions"),
        (("a",), 0, "dimensions"),
    ],
)
def test_what_cannot_be_is_refused(runner, inputs, size, param):
    error = refusal(runner, *inputs, size=size)
    assert (error.kind, error.param) == ("InvalidRequest", param)


def test_a_small_request_does_not_wait_for_a_large_one(runner):
    large, small = next(_ids), next(_ids)
    runner.embed(large, EmbedRequest(inputs=(TEXTS[0],) * 300))
    runner.embed(small, EmbedRequest(inputs=(TEXTS[1],)))
    while not (ended := runner.step()):
        pass
    assert ([event.id for event in ended], runner.busy) == ([small], True)
    assert finish(runner, []).id == large


def test_a_cancelled_request_ends_at_once_and_the_others_go_on(runner):
    gone, stays = next(_ids), next(_ids)
    runner.embed(gone, EmbedRequest(inputs=(TEXTS[0],) * 300))
    runner.embed(stays, EmbedRequest(inputs=(TEXTS[1],) * 40))
    runner.step()
    (end,) = runner.cancel(gone)
    assert isinstance(end, Failed)
    assert runner.cancel(gone) == []
    assert finish(runner, []).id == stays
    assert runner.cancel(stays) == []


@pytest.fixture
def apart(minilm: Path) -> Iterator[tuple[VectorRunner, threading.Event]]:
    """With two threads, come what may, and whether it has called."""
    woken = threading.Event()
    runner = load(minilm, woken.set, threads=2, adaptive_threads=False)
    yield runner, woken
    runner.close()


def test_many_texts_are_computed_at_the_same_time_and_are_the_same(apart, runner):
    """To the last bit: who computes them, and when, decides nothing."""
    (both, _), texts = apart, [*TEXTS * 6, "a " * 400, *TEXTS * 6]
    vectors, tokens = embed(both, *texts)
    expected, counts = embed(runner, *texts)
    assert tokens == counts
    assert (vectors == expected).all()
    assert both.status().prompt_tokens == sum(tokens)


def test_a_call_that_is_abandoned_in_place_of_one_that_has_ended_is_made_again(
    apart, runner, monkeypatch
):
    both, _ = apart
    decode, codes = both.context.decode, [2, 2]
    monkeypatch.setattr(
        both.context, "decode", lambda batch: codes.pop() if codes else decode(batch)
    )
    vectors, _ = embed(both, *TEXTS * 6)
    expected, _ = embed(runner, *TEXTS * 6)
    assert not codes
    assert (vectors * expected).sum(axis=1).min() > 0.99999


def test_while_calls_are_under_way_it_waits_until_one_of_them_ends(apart):
    runner, woken = apart
    ids = next(_ids), next(_ids), next(_ids)
    for id in ids[:2]:
        runner.embed(id, EmbedRequest(inputs=("a " * 200,)))
    assert not runner.waits
    assert runner.step() == []
    runner.embed(ids[2], EmbedRequest(inputs=("a cat",)))
    assert woken.wait(30)
    assert not runner.waits
    ended = [event.id for _ in range(3) for event in runner.step()]
    assert sorted(ended) == sorted(ids)
    assert not runner.busy


def test_a_long_text_is_not_passed_over_by_short_ones(apart):
    """Only the first context takes it; whoever comes later comes later there."""
    runner, _ = apart
    busy, long = next(_ids), next(_ids)
    runner.embed(busy, EmbedRequest(inputs=("a " * 400,)))
    runner.embed(long, EmbedRequest(inputs=("a " * 450,)))
    short = [next(_ids) for _ in range(40)]
    for id in short:
        runner.embed(id, EmbedRequest(inputs=("a " * 200,)))
    ended = []
    while runner.busy:
        ended += [event.id for event in runner.step()]
    assert sorted(ended) == [busy, long, *short]
    assert ended.index(long) < 20


def test_what_is_cancelled_while_it_is_computed_ends_at_once(apart):
    runner, _ = apart
    gone, next_one = next(_ids), next(_ids)
    runner.embed(gone, EmbedRequest(inputs=("a " * 200,) * 3))
    assert runner.step() == []
    assert [event.kind for event in runner.cancel(gone)] == ["ServiceClosed"]
    assert not runner.busy
    runner.embed(next_one, EmbedRequest(inputs=(TEXTS[0],)))
    assert finish(runner, []).id == next_one


def test_closing_waits_for_what_is_computed(minilm: Path) -> None:
    runner = load(minilm, threads=2, adaptive_threads=False)
    runner.embed(next(_ids), EmbedRequest(inputs=("a " * 500,) * 4))
    assert runner.step() == []
    runner.close()


def test_it_writes_no_text_and_gives_no_scores(runner):
    (text,) = runner.submit(1, request("Hi"))
    (scores,) = runner.rerank(2, RerankRequest(query="a", documents=("b",)))
    assert (text.kind, text.param) == (scores.kind, scores.param) == ("InvalidRequest", "model")


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba", "jamba"])
def test_a_model_that_writes_text_gives_vectors_only_if_loaded_for_it(
    tiny_model: Callable[[str], Path], architecture: str
):
    """Whatever memory it has; and then each text starts with an empty one."""
    path = tiny_model(architecture)
    writer = open_runner(str(path), LoadOptions(slots=1, context_length=256), LOG)
    (refused,) = writer.embed(1, EmbedRequest(inputs=("a",)))
    writer.close()
    assert refused.param == "model"
    runner = load(path, embeddings=True, context_length=600)
    texts = ("the cat", "a " * 60, "x" * 500, "a")
    together, _ = embed(runner, *texts * 2)
    for text, vector in zip(texts, together, strict=False):
        assert embed(runner, text)[0][0] @ vector > 0.9999
    runner.close()


def test_vectors_that_are_no_numbers_are_the_damaged_file_s(
    tiny_model: Callable[[str], Path], tmp_path: Path
):
    path = Path(shutil.copy(tiny_model("llama"), tmp_path))
    for tensor in gguf.GGUFReader(path, "r+").tensors:
        if tensor.name == "output_norm.weight":
            tensor.data[:] = np.nan
    runner = load(path, embeddings=True, context_length=256)
    assert refusal(runner, "Hi").kind == "DamagedModel"
    runner.close()


def test_a_reranker_gives_the_scores_of_its_head(minilm_original, original, tmp_path):
    head = np.random.default_rng(3).normal(0, 0.3, WIDTH)
    path = tmp_path / "reranker.gguf"
    write_gguf(path, minilm_original, pooling=gguf.PoolingType.RANK, head=head)
    runner = load(path)
    try:
        assert runner.facts.pooling == "rank"
        documents = (*TEXTS[:5], TEXTS[0])
        wanted = RerankRequest(query="Where is the cat?", documents=documents)
        end = finish(runner, runner.rerank(next(_ids), wanted))
        assert isinstance(end, Embedded)
        scores = np.frombuffer(end.vectors, "<f4")
        expected = [original.score("Where is the cat?", text, head) for text in documents]
        assert scores == pytest.approx(expected, abs=0.01)
        assert refusal(runner, "a").param == "model"
        long = RerankRequest(query="q", documents=("a", "a " * 600), field="texts")
        error = finish(runner, runner.rerank(next(_ids), long))
        assert (error.kind, error.param) == ("ContextLengthExceeded", "texts[1]")
        assert error.message.startswith("'texts[1]' has ")
    finally:
        runner.close()


def test_those_who_may_wait_are_more_than_those_who_are_computed(minilm: Path) -> None:
    runner = load(minilm, slots=1, queue_limit=1)
    started = [runner.embed(next(_ids), EmbedRequest(inputs=("a cat",))) for _ in range(3)]
    assert started[:2] == [[], []]
    assert [event.kind for event in started[2]] == ["QueueFull"]
    runner.close()
