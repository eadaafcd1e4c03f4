"""What a caller says of an answer's tokens: how few, which ones, which end it."""

import math

import pytest

from lmnb.engine.events import Accepted, Failed
from lmnb.engine.options import Constraint, Sampling, TokenRules

from .driver import load, request, run

PROMPT = "The capital of France is"


@pytest.fixture(scope="module")
def runner(smollm2):
    runner = load(smollm2, slots=2, context_length=512)
    yield runner
    runner.close()


def said(runner, *, prompt=PROMPT, max_tokens=8, **options):
    rules = TokenRules(**options.pop("rules", {}))
    return run(runner, request(prompt, max_tokens=max_tokens, rules=rules, **options))[0]


@pytest.fixture(scope="module")
def usual(runner):
    """The answer without rules: its text, and its tokens."""
    reply = said(runner, logprobs=0)
    return reply.text, [one.token for one in reply.logprobs]


def refusal(runner, **options):
    reply = said(runner, **options)
    assert isinstance(reply.end, Failed)
    return reply.end


def test_a_stop_token_ends_the_answer_and_is_not_shown(runner, usual):
    text, tokens = usual
    reply = said(runner, rules={"stop": (tokens[2],)})
    assert reply.finished.reason == "stop"
    assert reply.finished.completion_tokens == 3
    assert text.startswith(reply.text) and reply.text != text


def test_a_stop_token_can_be_kept(runner, usual):
    text, tokens = usual
    cut = said(runner, rules={"stop": (tokens[2],)}).text
    kept = said(runner, rules={"stop": (tokens[2],), "keep_stop": True}).text
    assert text.startswith(kept) and len(kept) > len(cut)


def test_a_stop_string_can_be_kept(runner, usual):
    text, _ = usual
    stop = text[4:7]
    kept = said(runner, stop=(stop,), rules={"keep_stop": True})
    assert kept.text == text[: text.index(stop) + len(stop)]
    assert kept.finished.stop_string == stop


def test_nothing_ends_an_answer_that_is_too_short(runner, usual):
    text, tokens = usual
    by_text = said(runner, stop=(text[2:4],), rules={"least": 6})
    by_token = said(runner, rules={"least": 6, "stop": (tokens[0],)})
    assert min(reply.finished.completion_tokens for reply in (by_text, by_token)) >= 6
    end = runner.model.vocab.eos
    sampling = Sampling(temperature=0, logit_bias=((end, 100.0),))
    assert said(runner, sampling=sampling).finished.completion_tokens == 1
    assert said(runner, sampling=sampling, rules={"least": 5}).finished.completion_tokens == 6


def test_a_grammar_is_stronger_than_a_least_length(runner):
    yes = Constraint(grammar='start: "yes"')
    reply = said(runner, constraint=yes, rules={"least": 8})
    assert (reply.text, reply.finished.reason) == ("yes", "stop")


def test_only_allowed_tokens_come(runner, usual):
    _, tokens = usual
    allowed = tuple(sorted(set(tokens))[:3])
    for sampling in (Sampling(temperature=0), Sampling(temperature=2, seed=1)):
        reply = said(runner, sampling=sampling, logprobs=0, rules={"allowed": allowed})
        assert {one.token for one in reply.logprobs} <= {*allowed}
        assert reply.finished.reason == "length"


def test_allowed_tokens_and_a_grammar_hold_together(runner):
    vocab = runner.model.vocab
    no = vocab.tokenize("no", add_special=False, parse_special=False)
    both = Constraint(grammar='start: "yes" | "no"')
    assert said(runner, constraint=both, rules={"allowed": (*no, vocab.eos)}).text == "no"
    only = Constraint(grammar='start: "yes"')
    end = refusal(runner, constraint=only, rules={"allowed": (no[0],)})
    assert (end.kind, end.param) == ("InvalidRequest", "allowed_token_ids")


def test_control_tokens_can_be_shown(runner):
    mark = runner.model.vocab.tokenize("<|im_start|>", add_special=False, parse_special=True)
    rules = {"allowed": tuple(mark)}
    assert said(runner, max_tokens=2, rules=rules).text == ""
    assert said(runner, max_tokens=2, rules={**rules, "controls": True}).text == "<|im_start|>" * 2


def test_ids_are_the_prompts_and_the_end_is_among_the_tokens(runner):
    vocab = runner.model.vocab
    wanted = request(
        PROMPT, logprobs=0, rules=TokenRules(ids=True, allowed=(vocab.eos,)), max_tokens=4
    )
    (accepted,) = runner.submit(10**6, wanted)
    assert isinstance(accepted, Accepted)
    assert list(accepted.ids) == vocab.tokenize(PROMPT, add_special=False, parse_special=True)
    events = []
    while runner.busy:
        events += runner.step()
    (end,) = [one for event in events for one in getattr(event, "logprobs", ())]
    assert (end.token, end.bytes) == (vocab.eos, b"") and math.isfinite(end.logprob)


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ({"stop": (10**6,)}, "stop_token_ids"),
        ({"allowed": (5, -1)}, "allowed_token_ids"),
        ({"allowed": (2,), "stop": (2,), "least": 3}, "allowed_token_ids"),
    ],
)
def test_tokens_that_make_no_sense_are_refused(runner, rules, param):
    assert refusal(runner, rules=rules).param == param


def test_a_token_that_is_none_is_named_beside_how_many_there_are(runner):
    size = runner.model.vocab.size
    message = refusal(runner, rules={"stop": (1, size + 1)}).message
    assert f" {size + 1}," in message and message.endswith(f" {size}.")


def test_an_answer_that_takes_too_long_ends_where_a_line_does(runner):
    asked = {"max_tokens": 60, "prompt": "1\n2\n3\n4\n"}
    assert said(runner, **asked).text.count("\n") > 1
    late = said(runner, **asked, rules={"seconds": 1e-9})
    assert late.finished.reason == "length"
    assert late.text.endswith("\n") and late.text.count("\n") <= 2
    assert said(runner, **asked, rules={"seconds": 1e9}).text.count("\n") > 1
