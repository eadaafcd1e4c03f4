"""The shortcuts choose what llama.cpp's whole chain would have chosen."""

import numpy as np
import pytest

from lmnb.engine.options import Sampling
from lmnb.engine.sampling import Sampler, logprob
from lmnb.errors import EngineError
from tests.synthetic import write_model

from .driver import load, request, run


@pytest.fixture(scope="module")
def runner(smollm2):
    runner = load(smollm2, slots=1, context_length=512)
    yield runner
    runner.close()


def rows(count, vocabulary, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (count, vocabulary)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"top_k": 1},
        {"top_k": 200, "temperature": 1.5, "top_p": 1.0, "min_p": 0.0},
        {"typical_p": 0.7, "xtc_probability": 0.5, "xtc_threshold": 0.05},
        {"dynatemp_range": 0.5},
    ],
)
def test_the_shortlist_gives_the_same_tokens_as_the_whole_vocabulary(runner, options):
    vocab = runner.model.vocab
    for seed in range(20):
        sampling = Sampling(seed=seed, **options)
        short, whole = (Sampler(sampling, vocab, 512) for _ in range(2))
        assert short._top is not None
        whole._top = None
        for row in rows(5, vocab.size, seed):
            assert short.sample(row) == whole.sample(row)


def test_greedy_is_the_most_likely_token(runner):
    for row in rows(5, runner.model.vocab.size):
        assert Sampler(Sampling(temperature=0), runner.model.vocab, 512).sample(row) == row.argmax()


def three_likely(runner):
    """A row in which tokens 5, 6 and 7 share the probability: 0.6, 0.3 and 0.1."""
    row = np.full(runner.model.vocab.size, -30, np.float32)
    row[[5, 6, 7]] = np.log([0.6, 0.3, 0.1])
    return row


def chosen(runner, row, count=40, **options):
    """What comes of that row, with as many seeds."""
    samplings = (Sampling(seed=seed, **options) for seed in range(count))
    return [Sampler(sampling, runner.model.vocab, 512).sample(row) for sampling in samplings]


def test_temperature_zero_leaves_the_best_out_where_a_sampler_does(runner):
    row = three_likely(runner)
    assert set(chosen(runner, row, temperature=0)) == {5}
    assert set(chosen(runner, row, temperature=0, xtc_probability=1, xtc_threshold=0.2)) == {6}
    assert len(set(chosen(runner, row, temperature=0, dynatemp_range=2))) > 1
    typical = chosen(runner, row, temperature=0, typical_p=0.2)
    assert set(typical) == {6}, "the one whose surprise is nearest to the expected"


def test_samplers_can_be_left_out_and_reordered(runner):
    row = three_likely(runner)
    assert set(chosen(runner, row, top_k=1)) == {5}
    assert set(chosen(runner, row, top_k=1, samplers=("temperature",))) == {5, 6, 7}
    flattened = {"temperature": 20, "min_p": 0.5}
    assert set(chosen(runner, row, **flattened)) == {5, 6}
    late = chosen(runner, row, **flattened, samplers=("top_k", "temperature", "min_p"))
    assert set(late) == {5, 6, 7}


def test_some_tokens_can_be_kept(runner):
    row = three_likely(runner)
    assert set(chosen(runner, row, top_p=0.1)) == {5}
    assert set(chosen(runner, row, top_p=0.1, min_p=0, min_keep=2)) == {5, 6}


def test_adaptive_p_looks_for_tokens_of_its_probability(runner):
    row = three_likely(runner)
    only = {"temperature": 1, "samplers": ("top_k", "adaptive_p")}
    assert np.bincount(chosen(runner, row, **only)).argmax() == 5
    assert np.bincount(chosen(runner, row, **only, adaptive_target=0.1)).argmax() == 7


def test_a_text_is_biased_by_its_tokens(runner):
    row = three_likely(runner)
    text = "cat"
    (token,) = runner.model.vocab.tokenize(text, add_special=False, parse_special=False)
    row[token] = -20
    assert set(chosen(runner, row, temperature=0, text_bias=((text, 50),))) == {token}
    row[token] = 20
    assert token not in chosen(runner, row, temperature=0, text_bias=((text, -1e6),))


def test_sampled_frequencies_follow_the_probabilities(runner):
    """Three likely tokens, drawn often: a chi-square that a wrong chain does not survive."""
    vocab = runner.model.vocab
    row, weights = three_likely(runner), np.array([0.6, 0.3, 0.1])
    sampler = Sampler(Sampling(temperature=1, top_k=40, top_p=1, min_p=0, seed=3), vocab, 512)
    draws = np.array([sampler.sample(row) for _ in range(4000)])
    counts = np.array([(draws == token).sum() for token in (5, 6, 7)])
    expected = weights * len(draws)
    assert ((counts - expected) ** 2 / expected).sum() < 13.8  # p = 0.001, 2 degrees


@pytest.mark.parametrize("temperature", [0, 0.8])
def test_a_model_that_computes_no_number_is_an_error(runner, temperature):
    row = np.full(runner.model.vocab.size, np.nan, np.float32)
    with pytest.raises(EngineError, match="NaN"):
        Sampler(Sampling(temperature=temperature), runner.model.vocab, 512).sample(row)


@pytest.mark.parametrize("window", [64, -1])
def test_the_repeat_penalty_counts_the_prompt(runner, window):
    vocab = runner.model.vocab
    options = Sampling(temperature=0, repeat_penalty=2.0, repeat_last_n=window)
    sampler = Sampler(options, vocab, 512)
    row = np.zeros(vocab.size, np.float32)
    row[10], row[11] = 3.0, 2.0
    sampler.observe(np.array([10], np.int32))
    assert sampler.sample(row) == 11


def test_logit_bias_can_force_and_forbid(runner):
    row = rows(1, runner.model.vocab.size)[0]
    forced = Sampling(temperature=0, logit_bias=((77, 100.0),))
    assert Sampler(forced, runner.model.vocab, 512).sample(row) == 77
    best = int(row.argmax())
    forbidden = Sampling(temperature=0, logit_bias=((best, -100.0),))
    assert Sampler(forbidden, runner.model.vocab, 512).sample(row) != best


def test_a_model_does_not_write_what_its_file_forbids(tmp_path):
    def forbid(writer):
        writer.add_array("tokenizer.ggml.suppress_tokens", list(range(300, 500)))

    def written(path):
        runner = load(path, slots=1, context_length=256)
        flat = Sampling(seed=1, temperature=2, top_k=0, min_p=0)
        reply = run(runner, request("a", max_tokens=60, sampling=flat, logprobs=0))[0]
        runner.close()
        return {one.token for one in reply.logprobs}

    free = written(write_model(tmp_path / "free.gguf", "llama"))
    held = written(write_model(tmp_path / "held.gguf", "llama", forbid))
    assert free & {*range(300, 500)}
    assert not held & {*range(300, 500)}


def test_logprobs_are_a_log_softmax(runner):
    row = rows(1, runner.model.vocab.size)[0]
    exact = row.astype(np.float64) - np.log(np.exp(row.astype(np.float64)).sum())
    entry = logprob(row, 123, 5, runner.model.vocab)
    assert entry.logprob == pytest.approx(exact[123], abs=1e-4)
    assert [a.token for a in entry.top] == list(np.argsort(-row)[:5])
    assert [a.logprob for a in entry.top] == pytest.approx(list(np.sort(exact)[::-1][:5]), abs=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"mirostat": 1},
        {"mirostat": 2},
        {"dry_multiplier": 0.8},
        {"repeat_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": 0.5},
        {"top_k": 0, "top_p": 1.0, "min_p": 0.0},
        {"top_n_sigma": 1.5},
        {"xtc_probability": 1.0},
    ],
)
def test_the_same_seed_gives_the_same_text(runner, options):
    wanted = request(
        "Once upon a time", max_tokens=12, sampling=Sampling(seed=7, temperature=1.0, **options)
    )
    first, second = run(runner, wanted)[0], run(runner, wanted)[0]
    assert first.text == second.text
    assert first.finished.seed == 7
