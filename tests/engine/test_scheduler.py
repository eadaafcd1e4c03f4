"""Batching, fairness, limits and the end of sequences, on the real model."""

import pytest

from lmnb.engine.events import Failed, Finished
from lmnb.engine.options import EngineRequest, Sampling, Span

from .driver import load, request, run, step, submit, words


@pytest.fixture(scope="module", params=[True, False], ids=["unified", "separate"])
def runner(smollm2, request):
    runner = load(smollm2, slots=3, context_length=1024, kv_unified=request.param)
    yield runner
    runner.close()


CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


def test_a_model_answers(runner):
    reply = run(runner, request(CHAT.format("What is the capital of France?"), max_tokens=30))[0]
    assert "Paris" in reply.text
    assert reply.finished.reason == "stop"


def test_more_requests_than_slots_all_finish(runner):
    wanted = [
        request(CHAT.format(f"Count to {i}."), max_tokens=8, ignore_eos=True) for i in range(8)
    ]
    replies = run(runner, *wanted)
    assert [r.finished.reason for r in replies] == ["length"] * 8
    assert [r.finished.completion_tokens for r in replies] == [8] * 8


def test_waiting_requests_are_served_in_order(runner):
    replies = submit(
        runner,
        *(request(words(40, i), max_tokens=4 + 40 * (i < 3), ignore_eos=True) for i in range(6)),
    )
    order = []
    while runner.scheduler.busy:
        step(runner, replies)
        order += [id for id, reply in replies.items() if reply.end and id not in order]
    assert order[-3:] == sorted(order[-3:])


@pytest.mark.parametrize("queue", [0, 2])
def test_the_queue_begins_where_the_slots_end(tiny_model, queue):
    """Also for those who come together, before a step has given them their slots."""
    runner = load(tiny_model("llama"), slots=2, queue_limit=queue, context_length=256)
    burst = submit(runner, *(request(words(8, i), max_tokens=4) for i in range(5)))
    step(runner, burst)
    late = submit(runner, request("too late", max_tokens=4))
    refused = [r.end for r in [*burst.values(), *late.values()] if isinstance(r.end, Failed)]
    assert len(refused) == 4 - queue
    assert {failed.kind for failed in refused} == {"QueueFull"}
    assert f"its queue holds {queue}" in refused[0].message
    while runner.busy:
        step(runner, burst)
    assert sum(isinstance(r.end, Finished) for r in burst.values()) == 2 + queue
    runner.close()


def tokens_read(reply):
    if reply.end:
        return reply.finished.prompt_tokens
    return reply.prefills[-1].done if reply.prefills else 0


def test_long_prompts_stall_nobody_for_more_than_a_chunk(runner):
    talking = submit(runner, request("Once upon a time", max_tokens=200, ignore_eos=True))
    (talker,) = talking.values()
    while not talker.text:
        step(runner, talking)
    reading = submit(runner, *(request(words(600, i), max_tokens=1) for i in range(3)))
    replies = talking | reading
    chunks, read_before = 0, 0
    while not all(reader.end for reader in reading.values()):
        before = talker.text
        step(runner, replies)
        assert not talker.end
        read = sum(tokens_read(reader) for reader in reading.values())
        assert read - read_before <= runner.context.micro_batch_size, "a chunk without a token"
        if talker.text != before:
            chunks, read_before = chunks + 1, read
    assert chunks > 2
    while runner.scheduler.busy:
        step(runner, replies)


def test_a_short_prompt_does_not_wait_for_a_long_one_nor_starves_it(smollm2):
    runner = load(smollm2, slots=4, context_length=2048, micro_batch_size=64)
    (book,) = (replies := submit(runner, request(words(1500), max_tokens=1))).values()
    for answered in range(60):
        replies |= submit(runner, request(words(40, answered + 1), max_tokens=1))
        question = list(replies.values())[-1]
        while question.end is None:
            step(runner, replies)
        if book.end is not None:
            break
    assert answered > 10
    assert book.finished.prompt_tokens > 1000
    runner.close()


def test_cancelling_frees_the_slot_at_once(runner):
    replies = submit(
        runner, *(request(words(30, i), max_tokens=500, ignore_eos=True) for i in range(4))
    )
    step(runner, replies)
    first, *_, last = replies
    for event in runner.scheduler.cancel(first):
        replies[event.id].take(event)
    assert replies[first].finished.reason == "cancelled"
    step(runner, replies)
    assert last in {s.id for s in runner.scheduler.running}
    for id in list(replies)[1:]:
        runner.scheduler.cancel(id)
    assert not runner.scheduler.busy


def test_a_stop_string_ends_the_sequence_and_is_not_shown(runner):
    reply = run(runner, request(CHAT.format("What is the capital of France?"), stop=("Par",)))[0]
    assert reply.finished.reason == "stop_string"
    assert reply.finished.stop_string == "Par"
    assert reply.text.endswith("is ")


def test_the_context_is_filled_and_never_overrun(runner):
    reply = run(runner, request(words(1000), ignore_eos=True))[0]
    end = reply.finished
    assert end.reason == "context"
    assert end.prompt_tokens + end.completion_tokens == runner.context.length


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(runner):
    """In the words by which Claude Code and LiteLLM know that a conversation must be shortened."""
    reply = run(runner, request("word " * 2000))[0]
    assert isinstance(reply.end, Failed)
    assert reply.end.kind == "ContextLengthExceeded"
    assert "prompt is too long: 2001 tokens > 1023" in reply.end.message
    assert "This model's maximum context length is 1024 tokens" in reply.end.message


def test_what_can_never_fit_is_not_even_read(runner, monkeypatch):
    """Reading fifty megabytes takes a minute, in which nobody else gets a token."""
    monkeypatch.setattr(runner.model.vocab, "tokenize", None)
    (reply,) = run(runner, request("x" * 2_000_000))
    assert reply.end.kind == "ContextLengthExceeded"
    assert "at least" in reply.end.message


def test_an_empty_prompt_is_the_beginning_of_a_document(runner):
    vocab = runner.model.vocab
    empty, begun = run(runner, request("", max_tokens=4), request([vocab.bos], max_tokens=4))
    assert (empty.text, empty.finished.prompt_tokens) == (begun.text, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"sampling": Sampling(temperature=float("nan"))},
        {"sampling": Sampling(temperature=-1)},
        {"sampling": Sampling(repeat_penalty=0.0)},
        {"sampling": Sampling(top_p=7)},
        {"sampling": Sampling(logit_bias=((10**6, 1.0),))},
        {"sampling": Sampling(logit_bias=((5, float("inf")),))},
        {"sampling": Sampling(dry_sequence_breakers=("a\0b",))},
        {"max_tokens": -1},
        {"logprobs": 21},
        {"stop": ("x" * 5000,)},
    ],
)
def test_what_llama_cpp_would_abort_on_is_refused_by_name(runner, options):
    reply = run(runner, request("Hello", **options))[0]
    assert isinstance(reply.end, Failed)
    assert reply.end.kind == "InvalidRequest"
    assert reply.end.param


@pytest.mark.parametrize("tokens", [(-1,), (10**6,), (2**31 - 1,)])
def test_token_ids_outside_the_vocabulary_are_refused(runner, tokens):
    reply = run(runner, request(tokens))[0]
    assert isinstance(reply.end, Failed) and reply.end.param == "prompt"


def test_text_of_a_user_is_not_read_as_control_tokens(runner):
    special, literal = (
        runner.prompts.read(EngineRequest(prompt=(Span("<|im_end|>", special=special),)), [])[0]
        for special in (True, False)
    )
    assert len(special) == 1
    assert len(literal) > 1


def test_logprobs_come_with_every_token(runner):
    reply = run(runner, request("One, two, three,", max_tokens=5, logprobs=3, ignore_eos=True))[0]
    assert len(reply.logprobs) == 5
    for entry in reply.logprobs:
        assert entry.logprob <= 0
        assert len(entry.top) == 3
        assert entry.token == entry.top[0].token  # greedy
    assert b"".join(entry.bytes for entry in reply.logprobs).decode() == reply.text


def test_eight_at_once_compute_what_one_alone_computes(smollm2):
    """Within llama.cpp's arithmetic: probabilities agree, though sums are taken in other orders."""
    runner = load(smollm2, slots=8, context_length=512)
    wanted = [request(f"The number {i} is", max_tokens=1, logprobs=1) for i in range(8)]
    together = run(runner, *wanted)
    runner.scheduler.cache.clear()
    for reply, one in zip(together, wanted, strict=True):
        alone = run(runner, one)[0]
        assert reply.logprobs[0].logprob == pytest.approx(alone.logprobs[0].logprob, abs=0.2)
    runner.close()


def test_the_same_request_gives_the_same_text_whatever_was_asked_before(smollm2):
    """Bit for bit: from a cold cache and a warm one, alone and beside others."""
    runner = load(smollm2)
    for seed, temperature in ((7, 1.5), (42, 0.8), (None, 0)):
        wanted = request(
            CHAT.format(f"Tell me story number {seed}."),
            max_tokens=40,
            sampling=Sampling(temperature=temperature, seed=seed),
        )
        first = run(runner, wanted)[0].text
        run(runner, *(request(words(150, i), max_tokens=20) for i in range(4)))
        again = [run(runner, wanted)[0], *run(runner, wanted, wanted, wanted)]
        assert [reply.text for reply in again] == [first] * 4
    runner.close()


def test_a_full_unified_cache_makes_the_youngest_wait_and_loses_nothing(smollm2):
    runner = load(smollm2, slots=3, context_length=512, kv_unified=True)
    replies = run(
        runner, *(request(words(160, i), max_tokens=120, ignore_eos=True) for i in range(3))
    )
    assert [r.finished.completion_tokens for r in replies] == [120] * 3
    runner.close()


def test_control_tokens_are_shown_only_where_asked_for(runner):
    marked = Sampling(temperature=0, logit_bias=((1, 100.0),))  # <|im_start|>
    hidden = run(runner, request("Hi", sampling=marked, max_tokens=2))[0]
    shown = run(runner, request("Hi", sampling=marked, max_tokens=2, visible=("<|im_start|>",)))[0]
    assert (hidden.text, shown.text) == ("", "<|im_start|>" * 2)


def test_progress_is_said_from_the_first_token_to_the_last_where_it_is_asked_for(runner):
    prompt = words(150, seed=77)
    first = run(runner, request(prompt, max_tokens=2, progress=True))[0].prefills
    assert (first[0].done, first[-1].done) == (first[0].cached, first[0].total)
    again = run(runner, request(prompt, max_tokens=2, progress=True))[0].prefills
    assert again[0].done == again[0].cached > 0
    assert again[-1].done == again[-1].total
    for said in (first, again):
        assert [one.done for one in said] == sorted({one.done for one in said})
        assert [one.seconds for one in said] == sorted(one.seconds for one in said)
    assert run(runner, request(prompt, max_tokens=2))[0].prefills == []
