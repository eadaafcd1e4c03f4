"""The shortcuts choose what llama.cpp's whole chain would have chosen."""

import numpy as np
import pytest

from lmnb.engine.options import Sampling
from lmnb.engine.sampling import Sampler, logprob
from lmnb.errors import EngineError

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


def test_sampled_frequencies_follow_the_probabilities(runner):
    """Three likely tokens, drawn often: a chi-square that a wrong chain does not survive."""
    vocab = runner.model.vocab
    row = np.full(vocab.size, -30, np.float32)
    weights = np.array([0.6, 0.3, 0.1])
    row[[5, 6, 7]] = np.log(weights)
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


def test_the_repeat_penalty_counts_the_prompt(runner):
    vocab = runner.model.vocab
    sampler = Sampler(Sampling(temperature=0, repeat_penalty=2.0), vocab, 512)
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
