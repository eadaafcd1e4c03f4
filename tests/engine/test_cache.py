"""A prefix is taken from the cache whenever it is there, and never when it is not right."""

import math

import pytest

from .driver import load, request, run, words


def first_token(reply):
    return {a.token: math.exp(a.logprob) for a in reply.logprobs[0].top}


def assert_same_distribution(warm, cold):
    """The likely tokens have the same probabilities: the cache held the right keys."""
    a, b = first_token(warm), first_token(cold)
    for token in sorted(b, key=b.get)[-3:]:
        assert a.get(token, 0.0) == pytest.approx(b[token], abs=0.06)


MODES = [
    pytest.param({"kv_unified": True}, id="unified"),
    pytest.param({"kv_unified": False}, id="separate"),
]


def ask(prompt, **options):
    return request(prompt, max_tokens=options.pop("max_tokens", 2), logprobs=10, **options)


def fresh(runner, prompt):
    """What a cold cache computes."""
    runner.scheduler.cache.clear()
    limit, runner.scheduler.cache.host.limit = runner.scheduler.cache.host.limit, 0
    entries = runner.scheduler.cache.host._entries
    runner.scheduler.cache.host._entries = type(entries)()
    reply = run(runner, ask(prompt))[0]
    runner.scheduler.cache.host._entries = entries
    runner.scheduler.cache.host.limit = limit
    assert reply.finished.cached_tokens == 0
    return reply


@pytest.fixture(params=MODES)
def runner(smollm2, request):
    runner = load(smollm2, slots=3, context_length=1024, host_cache_mib=64, **request.param)
    yield runner
    runner.close()


def test_a_repeated_prompt_is_read_but_for_its_last_token(runner):
    prompt = words(200)
    cold = run(runner, ask(prompt))[0]
    warm = run(runner, ask(prompt))[0]
    assert cold.finished.cached_tokens == 0
    assert warm.finished.cached_tokens == cold.finished.prompt_tokens - 1
    assert_same_distribution(warm, cold)


def test_a_conversation_goes_on_from_where_it_stood(runner):
    first = run(runner, ask(words(100), max_tokens=20, ignore_eos=True))[0]
    longer = words(100) + first.text + " And then"
    warm = run(runner, ask(longer))[0]
    assert warm.finished.cached_tokens > first.finished.prompt_tokens
    assert_same_distribution(warm, fresh(runner, longer))


@pytest.mark.parametrize(("left", "computed"), [(40, 40), (60, 64), (64, 64), (70, 70)])
def test_what_is_nearly_a_tile_of_flash_attention_is_made_a_whole_one(runner, left, computed):
    tokens = list(range(1000, 1300))
    run(runner, ask(tokens))
    longer = [*tokens, *range(2000, 2000 + left)]
    warm = run(runner, ask(longer))[0]
    assert warm.finished.cached_tokens == len(longer) - computed
    assert_same_distribution(warm, fresh(runner, longer))


def test_a_shared_beginning_is_copied_and_both_keep_theirs(runner):
    shared = words(300)
    a, b = shared + " alpha", shared + " beta beta beta"
    run(runner, ask(a + words(60, 5)))
    warm = run(runner, ask(b))[0]
    again = run(runner, ask(a + words(60, 5)))[0]
    assert warm.finished.cached_tokens > 200
    assert again.finished.cached_tokens == again.finished.prompt_tokens - 1
    assert_same_distribution(warm, fresh(runner, b))


def test_a_prefix_is_shared_with_a_sequence_that_is_still_running(runner):
    shared = words(300)
    replies = run(
        runner,
        *(ask(shared + f" question {i}", max_tokens=20, ignore_eos=True) for i in range(3)),
    )
    assert [r.finished.cached_tokens > 200 for r in replies] == [False, True, True]
    assert_same_distribution(replies[2], fresh(runner, shared + " question 2"))


def test_evicted_sequences_come_back_from_host_memory(runner):
    prompts = [words(200, seed) for seed in range(1, 7)]
    for prompt in prompts:
        run(runner, ask(prompt))
    warm = run(runner, ask(prompts[0]))[0]
    assert warm.finished.cached_tokens == warm.finished.prompt_tokens - 1
    assert_same_distribution(warm, fresh(runner, prompts[0]))


def test_a_conversation_survives_another_that_begins_like_it(smollm2):
    runner = load(smollm2, slots=1, context_length=1024, host_cache_mib=64)
    shared = words(150, 1)
    first, second = shared + words(100, 2), shared + words(100, 3)
    length = run(runner, ask(first))[0].finished.prompt_tokens
    run(runner, ask(words(200, 4)))
    assert 100 < run(runner, ask(second))[0].finished.cached_tokens < length - 50
    again = run(runner, ask(first + words(20, 5)))[0]
    assert again.finished.cached_tokens >= length - 1
    assert_same_distribution(again, fresh(runner, first + words(20, 5)))
    runner.close()


def test_host_memory_takes_a_share_of_the_kv_cache_unless_told(smollm2):
    runner = load(smollm2, slots=1, context_length=1024)
    for seed in range(1, 9):
        run(runner, ask(words(200, seed)))
    host = runner.scheduler.cache.host
    kv_cache = 1024 * 30 * 2 * 3 * 64 * 2  # cells x layers x (K, V) x heads x width x f16
    assert 0.3 * kv_cache < host.limit < 0.4 * kv_cache
    assert 0 < host.bytes <= host.limit
    runner.close()


def test_an_idle_conversation_does_not_stay_when_a_longer_one_covers_it(runner):
    host = runner.scheduler.cache.host
    first = words(200, 1)
    for prompt in (first, *(words(200, n) for n in range(2, 5))):
        run(runner, ask(prompt))
    assert len(host) == 1
    run(runner, ask(first + words(50, 9)))
    assert all(len(kept) < 300 for kept, _ in host._entries.values())
    for n in range(5, 9):
        run(runner, ask(words(200, n)))
    beginnings = [kept[:100].tobytes() for kept, _ in host._entries.values()]
    assert len(beginnings) == len(set(beginnings))


def test_host_memory_is_bounded(smollm2):
    runner = load(smollm2, slots=1, context_length=1024, host_cache_mib=8)
    for seed in range(1, 6):
        run(runner, ask(words(200, seed)))
    host = runner.scheduler.cache.host
    assert 0 < host.bytes <= 8 << 20
    assert host.bytes == sum(len(state) for _, state in host._entries.values())
    runner.close()


def test_what_is_fetched_from_host_memory_is_not_pushed_out_by_what_goes_there(tiny_model):
    """There is room for one of two conversations that take turns in one lane."""
    options = {"slots": 1, "context_length": 2048, "kv_unified": False}
    runner = load(tiny_model("llama"), host_cache_mib=1, **options)
    for seed in (1, 2, 1, 2):
        prompt = [(seed * 31 + i * seed) % 256 + 3 for i in range(1300)]
        assert run(runner, ask(prompt))[0].finished
    assert len(runner.scheduler.cache.host) == 1
    runner.close()


def test_what_came_last_stays_though_it_fills_most_of_the_cache(tiny_model):
    """Or a conversation longer than half the context would be read anew at each turn."""
    runner = load(tiny_model("llama"), context_length=256, host_cache_mib=0, kv_unified=True)
    prompt = tuple(range(5, 205))
    replies = [run(runner, request(prompt, max_tokens=2))[0] for _ in range(2)]
    assert [reply.finished.cached_tokens for reply in replies] == [0, len(prompt) - 1]
    runner.close()


def test_no_host_memory_means_none(smollm2):
    runner = load(smollm2, slots=1, context_length=1024, host_cache_mib=0)
    for seed in (1, 2, 1):
        reply = run(runner, ask(words(200, seed)))[0]
    assert reply.finished.cached_tokens < 16
    assert runner.scheduler.cache.host.bytes == 0
    runner.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("swa_full", [True, False])
def test_a_sliding_window_is_never_cut_wrongly(gemma, swa_full, mode):
    """gemma-3: window of 512. Where the window has moved on, the prompt is computed again. (Flash
    attention rounds otherwise for other chunks: a cold cache alone differs by 0.08.)"""
    options = {"flash_attention": False, "micro_batch_size": 256, **mode}
    runner = load(gemma, slots=2, context_length=2048, swa_full=swa_full, **options)
    long = words(1200)
    short = long[: len(long) // 3]
    run(runner, ask(long, max_tokens=8, ignore_eos=True))
    warm = run(runner, ask(short + " so"))[0]
    assert_same_distribution(warm, fresh(runner, short + " so"))
    continued = run(runner, ask(long + " so"))[0]
    assert_same_distribution(continued, fresh(runner, long + " so"))
    runner.close()


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba", "jamba"])
@pytest.mark.parametrize("unified", [True, False])
def test_every_kind_of_memory_is_continued_or_computed_again(tiny_model, architecture, unified):
    runner = load(tiny_model(architecture), slots=2, context_length=512, kv_unified=unified)
    prompt = list(range(20, 120))
    run(runner, ask(prompt, ignore_eos=True))
    for wanted in (prompt + [7, 8, 9], prompt[:50], prompt):
        warm = run(runner, ask(wanted))[0]
        assert_same_distribution(warm, fresh(runner, wanted))
        run(runner, ask(prompt, ignore_eos=True))
    runner.close()
