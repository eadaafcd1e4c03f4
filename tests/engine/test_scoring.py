"""How likely a prompt is: the same numbers however it is cut, whoever else computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from lmnb.engine.events import Failed, Scored, SequenceEvent
from lmnb.engine.options import EngineRequest, Sampling
from lmnb.engine.runner import Runner
from tests.engine.driver import load, request, run, step, submit, words
from tests.synthetic import write_model

TEXT = "The capital of France is Paris, and the capital of Italy is Rome.\n" * 12


MODELS = ["llama", "llama-separate", "gemma3", "mamba", "jamba"]


@pytest.fixture(scope="module", params=MODELS)
def runner(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> Iterator[Runner]:
    """One for each kind of memory: some cannot be cut, so that nothing of them is used again."""
    architecture, _, separate = request.param.partition("-")
    # Flash attention rounds differently with the order of the cells (0.014 here, without it 0.001).
    runner = load(
        tiny_model(architecture),
        context_length=1024,
        slots=3,
        kv_unified=not separate,
        flash_attention=False,
    )
    yield runner
    runner.close()


def score(runner: Runner, *requests: EngineRequest) -> list[list[tuple[int, float]]]:
    """(token, logprob) of each prompt's tokens."""
    found: dict[int, Scored] = {}
    replies = submit(runner, *requests)
    while runner.busy:
        for event in runner.step():
            if isinstance(event, Scored):
                found[event.id] = event
            else:
                replies[event.id].take(event)
    return [[(t.token, t.logprob) for t in found[id].tokens] for id in replies]


def scoring(text: str | tuple[int, ...], **options: object) -> EngineRequest:
    return request(text, logprobs=1, score_prompt=True, **{"max_tokens": 0, **options})


def test_each_token_is_scored_as_if_it_had_just_been_written(runner: Runner) -> None:
    """The reference: greedy decoding's own log-probabilities of what it wrote."""
    prompt = runner.prompts.read(request("Once upon a time"), [])[0]
    written = run(runner, request("Once upon a time", max_tokens=12, logprobs=1))[0]
    whole = (*map(int, prompt), *(t.token for t in written.logprobs))
    [scores] = score(runner, scoring(whole))
    assert [token for token, _ in scores] == list(whole)
    assert math.isnan(scores[0][1])
    expected = [t.logprob for t in written.logprobs]
    assert np.allclose([chance for _, chance in scores[len(prompt) :]], expected, atol=0.01)


def test_a_cached_prefix_and_company_change_nothing(runner: Runner) -> None:
    [alone] = score(runner, scoring(TEXT))
    assert len(alone) > runner.context.scoring_rows, "several calls of llama.cpp"
    run(runner, request(TEXT, max_tokens=2))
    again, beside = score(runner, scoring(TEXT), scoring(TEXT + "It is so."))
    for other in (again, beside[: len(alone)]):
        assert [token for token, _ in other] == [token for token, _ in alone]
        assert np.allclose([x for _, x in other[1:]], [x for _, x in alone[1:]], atol=0.01)


def test_what_was_scored_is_a_prefix_for_others(runner: Runner) -> None:
    text = words(200, seed=5)
    [scores] = score(runner, scoring(text))
    reply = run(runner, request(text, max_tokens=1))[0]
    whole = runner.facts.architecture in ("llama", "gemma3")
    assert reply.finished.cached_tokens == (len(scores) - 1 if whole else 0)


def test_answers_beside_it_are_right(runner: Runner) -> None:
    [alone] = run(runner, request("One two three", max_tokens=20))
    replies = submit(runner, request("One two three", max_tokens=20), scoring(TEXT))
    while runner.busy:
        step(runner, replies)
    assert next(iter(replies.values())).text == alone.text


def test_the_prompt_may_fill_the_context_when_nothing_follows(runner: Runner) -> None:
    tokens = (tuple(range(300, 350)) * 50)[: runner.context.length]
    [scores] = score(runner, scoring(tokens))
    assert len(scores) == runner.context.length
    reply = run(runner, scoring(tokens, max_tokens=1))[0]
    assert isinstance(reply.end, Failed)


def test_one_token_has_no_score_and_needs_none(runner: Runner) -> None:
    [[(token, chance)]] = score(runner, scoring((300,), max_tokens=2))
    assert token == 300
    assert math.isnan(chance)


def test_the_end_has_a_score_where_scores_are_counted(runner: Runner) -> None:
    """lm-evaluation-harness cuts off the one token it had written, and must find one there."""
    end = runner.model.vocab.eos
    sampling = Sampling(temperature=0, logit_bias=((end, 100.0),))
    for scored, count in ((True, 1), (False, 0)):
        asked = request("Once", max_tokens=1, logprobs=1, score_prompt=scored, sampling=sampling)
        replies = submit(runner, asked)
        while runner.busy:
            for event in runner.step():
                if not isinstance(event, Scored):
                    replies[event.id].take(event)
        [reply] = replies.values()
        assert reply.finished.reason == "stop"
        assert [t.bytes for t in reply.logprobs] == [b""] * count


def test_scores_come_before_the_first_text(runner: Runner) -> None:
    replies = submit(runner, scoring("Once upon", max_tokens=3))
    events: list[SequenceEvent] = []
    while runner.busy:
        events += runner.step()
    assert isinstance(events[0], Scored)
    assert len(replies) == 1
    assert len(events[0].tokens[1].top) == 1


def test_a_model_without_marks_for_it_does_not_fill_in(
    tiny_model: Callable[[str], Path],
) -> None:
    runner = load(tiny_model("llama"), context_length=256)
    [reply] = run(runner, request("a", suffix="b"))
    runner.close()
    assert isinstance(reply.end, Failed)
    assert (reply.end.kind, reply.end.param) == ("InvalidRequest", "suffix")


def test_a_model_fills_in_between_its_own_marks(tmp_path: Path) -> None:
    def teach(writer: gguf.GGUFWriter) -> None:
        for number, name in enumerate(("pre", "suf", "mid"), start=4):
            writer.add_uint32(f"tokenizer.ggml.fim_{name}_token_id", number)

    runner = load(write_model(tmp_path / "fim.gguf", "llama", teach), context_length=256)
    vocab = runner.model.vocab
    left = vocab.tokenize("def f(", add_special=False, parse_special=False)
    right = vocab.tokenize("):</s>", add_special=False, parse_special=False)
    for prompt in ("def f(", left):
        question = runner.prompts.read(request(prompt, suffix="):</s>"), [])[0]
        bos = [vocab.bos] if isinstance(prompt, str) else []
        assert list(question) == [*bos, 4, *left, 5, *right, 6]
    [reply] = run(runner, request("def f(", suffix="):", max_tokens=3))
    assert reply.finished.completion_tokens <= 3
    runner.close()
