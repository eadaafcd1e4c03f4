"""Thinking ends when its tokens are used, and the answer goes on from there."""

import pytest

from lmnb.chat.grammar import ResponseFormat, grammar
from lmnb.engine.options import Constraint, Sampling, ThinkingLimit

from .driver import load, request, run

ASK = "<|im_start|>user\nTell me a long story.<|im_end|>\n<|im_start|>assistant\n"
START, END, CLOSING = "<think>", "</think>", "\n</think>"


@pytest.fixture(scope="module")
def runner(smollm2):
    runner = load(smollm2, slots=2, context_length=512)
    yield runner
    runner.close()


def limited(tokens, *, prompt=ASK, start="", **options):
    thinking = ThinkingLimit(tokens=tokens, start=start, end=END, closing=CLOSING)
    return request(prompt, thinking=thinking, **options)


@pytest.mark.parametrize("tokens", [0, 1, 7])
def test_the_end_is_written_after_so_many_tokens_and_once(runner, tokens):
    long = {"max_tokens": 40, "ignore_eos": True}
    free, reply = run(runner, request(ASK, **long), limited(tokens, **long))
    thought, found, _ = reply.text.partition(CLOSING)
    assert found
    assert END not in reply.text.partition(CLOSING)[2]
    assert free.text.startswith(thought)
    assert (
        len(runner.model.vocab.tokenize(thought, add_special=False, parse_special=True)) == tokens
    )
    assert reply.finished.completion_tokens == 40


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=0), Sampling(seed=3, repeat_penalty=1.1)]
)
def test_every_sampler_takes_it(runner, sampling):
    (reply,) = run(runner, limited(5, max_tokens=20, sampling=sampling))
    assert CLOSING in reply.text


def test_who_does_not_think_is_left_alone(runner):
    free, reply = run(runner, request(ASK, max_tokens=20), limited(2, start=START, max_tokens=20))
    assert reply.text == free.text


def test_who_ends_by_himself_is_left_alone(runner):
    bias = ((runner.model.vocab.tokenize("!", add_special=False, parse_special=False)[0], 100.0),)
    sampling = Sampling(temperature=0, logit_bias=bias)
    reply, *_ = run(
        runner,
        request(
            ASK,
            sampling=sampling,
            max_tokens=12,
            thinking=ThinkingLimit(tokens=6, start="!", end="!", closing="never"),
        ),
    )
    assert reply.text == "!" * 12


def test_the_mark_that_begins_it_does_not_count(runner):
    """Held by a grammar, SmolLM2 begins to think."""
    held = Constraint(grammar='start: "<think>" /(?s:.*)/')
    (reply,) = run(runner, limited(4, start=START, constraint=held, max_tokens=40))
    thought = reply.text.removeprefix(START).partition(CLOSING)[0]
    assert len(runner.model.vocab.tokenize(thought, add_special=False, parse_special=True)) <= 5
    assert CLOSING in reply.text


def test_a_grammar_begins_where_the_thinking_was_ended(runner):
    wanted = ResponseFormat("json_schema", {"const": {"a": 1}})
    constraint = Constraint(
        grammar=grammar(wanted, after_thinking=True), triggers=(END,), final=True
    )
    (reply,) = run(runner, limited(6, constraint=constraint, max_tokens=60))
    assert reply.text.partition(CLOSING)[2].strip() == '{"a":1}'
    assert reply.finished.reason == "stop"


def test_a_grammar_that_forbids_the_end_is_stronger(runner):
    (reply,) = run(
        runner, limited(3, constraint=Constraint(grammar='start: "a"{12}'), max_tokens=40)
    )
    assert reply.text == "a" * 12


def test_no_character_is_cut_in_two(runner):
    held = Constraint(grammar='start: "🦙" /(?s:.*)/')
    for tokens in range(1, 6):
        (reply,) = run(runner, limited(tokens, constraint=held, max_tokens=30))
        assert "\ufffd" not in reply.text
        assert CLOSING in reply.text
