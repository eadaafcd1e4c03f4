"""What a model sees changes what it says, costs what it says it costs, and is never mistaken for
something else that was seen. On tiny models with tiny projectors: `tests/synthetic_vision.py`."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import llama_cpp as lib
import numpy as np
import pytest
from llama_cpp import mtmd_cpp as mtmd

from lmnb.engine.cache import WORTHWHILE
from lmnb.engine.events import Failed
from lmnb.engine.options import EngineRequest, Span
from lmnb.engine.runner import Runner
from tests.synthetic_vision import (
    PROJECTORS,
    picture,
    png,
    write_projector,
    write_seeing_model,
)

from .driver import GREEDY, Reply, load, run, submit, words

QUESTION = "<|im_start|>user\nWhat is this? "
ANSWER = "<|im_end|>\n<|im_start|>assistant\n"
MODES = [(name, unified) for name in PROJECTORS for unified in (True, False)]


Seeing = Callable[..., Runner]


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Seeing:
    """Loads the tiny model of that architecture, with its projector."""
    folder = tmp_path_factory.mktemp("seeing")

    def seeing(architecture: str, **options: object) -> Runner:
        model, projector = (folder / f"{kind}-{architecture}.gguf" for kind in ("tiny", "mmproj"))
        if not model.exists():
            write_seeing_model(model, architecture)
            write_projector(projector, architecture)
        return load(model, projector=str(projector), **options)

    return seeing


@pytest.fixture(params=MODES, ids=[f"{name}-{'unified' if u else 'separate'}" for name, u in MODES])
def runner(request: pytest.FixtureRequest, seeing: Seeing) -> Iterator[Runner]:
    architecture, unified = request.param
    runner = seeing(
        architecture,
        slots=3,
        context_length=512,
        kv_unified=unified,
        host_cache_mib=16,
        flash_attention=False,
    )
    yield runner
    runner.close()


def ask(*parts: str | bytes, max_tokens: int = 1) -> EngineRequest:
    """Texts and pictures, one after the other."""
    images = [part for part in parts if isinstance(part, bytes)]
    numbers = iter(range(len(images)))
    spans = [
        Span(part) if isinstance(part, str) else Span("", image=next(numbers)) for part in parts
    ]
    return EngineRequest(
        prompt=tuple(spans),
        images=tuple(images),
        sampling=GREEDY,
        max_tokens=max_tokens,
        logprobs=20,
    )


def look(seed: int, **options: int) -> EngineRequest:
    return ask(QUESTION, picture(seed), ANSWER, **options)


def chances(reply: Reply) -> dict[int, float]:
    """Log-probabilities of the likeliest tokens."""
    return {one.token: one.logprob for one in reply.logprobs[0].top}


def assert_same(one: Reply, other: Reply) -> None:
    a, b = chances(one), chances(other)
    likely = sorted(b, key=b.__getitem__)[-10:]
    assert [a.get(token) for token in likely] == pytest.approx([b[t] for t in likely], abs=0.03)


def assert_different(one: Reply, other: Reply) -> None:
    a, b = chances(one), chances(other)
    assert any(abs(a.get(token, -math.inf) - b[token]) > 0.1 for token in b)


def cold(runner: Runner, request: EngineRequest) -> Reply:
    """As if nothing had been asked before."""
    cache = runner.scheduler.cache
    cache.clear()
    cache.host._entries.clear()
    cache.host.bytes = 0
    (reply,) = run(runner, request)
    assert reply.finished.cached_tokens == 0
    return reply


def by_llama_cpp(runner: Runner, text: str, image: bytes) -> np.ndarray:
    """The logits after `text`, with the picture at `<__media__>`, as llama.cpp's own helper has them."""
    assert runner.eyes.projector is not None
    params = lib.llama_context_default_params()
    params.n_ctx, params.flash_attn_type, params.swa_full = 512, 0, True
    context = lib.llama_init_from_model(runner.model.handle, params)
    eyes = runner.eyes.projector.handle
    buffer = (ctypes.c_uint8 * len(image)).from_buffer_copy(image)
    bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(eyes, buffer, len(image), False)
    chunks = mtmd.mtmd_input_chunks_init()
    encoded = text.encode()
    prompt = mtmd.mtmd_input_text(encoded, len(encoded), True, True)
    bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
    assert mtmd.mtmd_tokenize(eyes, chunks, ctypes.byref(prompt), bitmaps, 1) == 0
    end = lib.llama_pos(0)
    done = mtmd.mtmd_helper_eval_chunks(eyes, context, chunks, 0, 0, 512, True, ctypes.byref(end))
    assert done == 0
    vocabulary = runner.model.vocab.size
    row = np.ctypeslib.as_array(lib.llama_get_logits_ith(context, -1), shape=(vocabulary,)).copy()
    mtmd.mtmd_input_chunks_free(chunks)
    mtmd.mtmd_bitmap_free(bitmap)
    lib.llama_free(context)
    return row


@pytest.mark.parametrize("size", [(32, 32), (96, 40)])
def test_a_picture_is_seen_as_llama_cpp_sees_it(runner: Runner, size: tuple[int, int]) -> None:
    image = picture(1, *size)
    reply = cold(runner, ask(QUESTION, image, ANSWER))
    row = by_llama_cpp(runner, f"{QUESTION}<__media__>{ANSWER}", image).astype(np.float64)
    expected = row - row.max() - np.log(np.exp(row - row.max()).sum())
    found = chances(reply)
    assert found == pytest.approx({token: expected[token] for token in found}, abs=0.03)


def test_another_picture_is_another_answer(runner: Runner) -> None:
    assert_different(cold(runner, look(1)), cold(runner, look(2)))
    assert_different(cold(runner, look(1)), cold(runner, ask(QUESTION, ANSWER)))


def test_its_tokens_are_counted(runner: Runner) -> None:
    text = len(runner.prompts.read(ask(QUESTION, ANSWER), [])[0])
    assert runner.eyes.projector is not None
    seen = sum(
        len(piece) if isinstance(piece, np.ndarray) else piece.length
        for piece in runner.eyes.projector.look(picture(1))
    )
    assert seen >= 16
    assert cold(runner, look(1)).finished.prompt_tokens == text + seen == runner.count(look(1))


def test_the_same_picture_is_in_the_cache(runner: Runner) -> None:
    first = cold(runner, look(1))
    (again,) = run(runner, look(1))
    assert again.finished.cached_tokens == first.finished.prompt_tokens - 1
    assert_same(again, first)


def test_a_conversation_about_it_goes_on(runner: Runner) -> None:
    first = cold(runner, look(1, max_tokens=8))
    turn = ask(QUESTION, picture(1), ANSWER + first.text, "<|im_end|>\nAnd this?", ANSWER)
    (second,) = run(runner, turn)
    # What the model said is read back as text, whose tokens may differ.
    assert second.finished.cached_tokens >= first.finished.prompt_tokens
    assert_same(second, cold(runner, turn))


def test_another_picture_in_its_place_shares_nothing_of_it(runner: Runner) -> None:
    expected = cold(runner, look(2))
    cold(runner, look(1))
    (other,) = run(runner, look(2))
    before = len(runner.prompts.read(ask(QUESTION), [])[0])
    assert other.finished.cached_tokens <= before + 20, "the text, and marks around a picture"
    assert_same(other, expected)


def test_a_prompt_that_ends_in_the_middle_of_nothing_begins_with_the_picture(
    runner: Runner,
) -> None:
    """A picture at the very end of a prompt: its last token's logits are the answer's."""
    wanted = ask(QUESTION, picture(1))
    first = cold(runner, wanted)
    (again,) = run(runner, wanted)
    assert_same(again, first)


def test_several_pictures_and_the_order_of_them(runner: Runner) -> None:
    one, two = picture(1), picture(2, 64, 32)
    forth = cold(runner, ask(QUESTION, one, " or ", two, ANSWER))
    back = cold(runner, ask(QUESTION, two, " or ", one, ANSWER))
    assert forth.finished.prompt_tokens == back.finished.prompt_tokens
    assert_different(forth, back)
    twice = cold(runner, ask(QUESTION, one, one, ANSWER))
    assert_same(run(runner, ask(QUESTION, one, one, ANSWER))[0], twice)


def test_beside_others_it_is_seen_as_alone(runner: Runner) -> None:
    wanted = [look(1, max_tokens=6), ask(words(120), max_tokens=12), look(2, max_tokens=6)]
    alone = [cold(runner, one) for one in wanted]
    runner.scheduler.cache.clear()
    for reply, expected in zip(run(runner, *wanted), alone, strict=True):
        assert reply.finished.prompt_tokens == expected.finished.prompt_tokens
        assert_same(reply, expected)


def test_what_was_seen_comes_back_from_host_memory(runner: Runner) -> None:
    first = cold(runner, look(1))
    for seed in range(3, 9):
        run(runner, ask(words(150, seed), max_tokens=2))
    more = ask(QUESTION, picture(1), ANSWER, "It is")
    (again,) = run(runner, more)
    assert again.finished.cached_tokens >= first.finished.prompt_tokens
    assert_same(again, cold(runner, more))


def test_more_requests_than_slots_all_see_their_own(runner: Runner) -> None:
    expected = [cold(runner, look(seed)) for seed in range(1, 6)]
    runner.scheduler.cache.clear()
    replies = run(runner, *[look(seed, max_tokens=4) for seed in range(1, 6)])
    for reply, one in zip(replies, expected, strict=True):
        assert_same(reply, one)


def test_who_asks_about_the_same_at_the_same_time_shares_it(runner: Runner) -> None:
    expected = cold(runner, look(1))
    runner.scheduler.cache.clear()
    one, two = run(runner, look(1), look(1))
    assert two.finished.cached_tokens >= expected.finished.prompt_tokens - WORTHWHILE
    assert_same(one, expected)
    assert_same(two, expected)


def test_a_request_that_is_left_leaves_nothing_behind(runner: Runner) -> None:
    expected = cold(runner, look(1))
    runner.scheduler.cache.clear()
    replies = submit(runner, look(1))
    (id,) = replies
    events = runner.cancel(id)
    assert [type(event).__name__ for event in events] == ["Finished"]
    while runner.busy:
        runner.step()
    assert_same(run(runner, look(1))[0], expected)


BOMB = png(16, 16, b"\0" * (64 << 20))
BAD = {
    "nothing": b"",
    "text": b"This is no picture at all.",
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "half a PNG": picture(1)[:200],
    "no pixels": png(0, 0, b""),
    "too few pixels": png(32, 32, b"\0"),
    "claims": png(1 << 20, 1 << 20, b"\0"),
    "large": png(8192, 8192, b"\0"),
    "thin": png(4096, 1, b"\0" * 12289),
    "bomb": BOMB,
    "half a JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(9) + b"\xff\xc0\x00\x11\x08\x00 \x00 ",
    "a JPEG of nothing": b"\xff\xd8\xff\xd9",
    "GIF": b"GIF89a" + struct.pack("<HH", 16, 16) + b"\0\0\0;",
    "BMP": b"BM" + bytes(12) + struct.pack("<Iii", 40, 16, 16),
}


@pytest.fixture(scope="module")
def sturdy(seeing: Seeing) -> Iterator[Runner]:
    runner = seeing("llama", context_length=256)
    yield runner
    runner.close()


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_one_requests_error(sturdy: Runner, name: str) -> None:
    (reply,) = run(sturdy, ask(QUESTION, BAD[name], ANSWER))
    assert (reply.end.kind, reply.end.param) == ("InvalidImage", None)  # type: ignore[union-attr]
    assert isinstance(run(sturdy, look(1))[0].finished.prompt_tokens, int)


@pytest.mark.parametrize("architecture", PROJECTORS)
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (1000, 7), (333, 1000)])
def test_pictures_of_every_shape_are_seen_or_refused(
    seeing: Seeing, architecture: str, size: tuple[int, int]
) -> None:
    runner = seeing(architecture, context_length=2048, slots=1)
    (reply,) = run(runner, ask(QUESTION, picture(1, *size), ANSWER))
    if isinstance(reply.end, Failed):
        assert reply.end.kind == "InvalidImage"
    assert run(runner, look(1))[0].finished.completion_tokens == 1
    runner.close()


@pytest.mark.parametrize("architecture", ["llama", "qwen2vl"])
def test_a_large_picture_is_read_in_parts_beside_others(seeing: Seeing, architecture: str) -> None:
    whole = seeing(architecture, context_length=512, flash_attention=False)
    parts = seeing(architecture, context_length=512, flash_attention=False, micro_batch_size=6)
    wanted = ask(QUESTION, picture(1, 96, 96), ANSWER, max_tokens=4)
    expected = cold(whole, wanted)
    beside, reply = run(parts, ask(words(40), max_tokens=60), wanted)
    assert beside.finished.completion_tokens
    assert_same(reply, expected)
    replies = submit(parts, look(2))
    while not any(reply.prefills for reply in replies.values()):
        for event in parts.step():
            replies[event.id].take(event)
    parts.cancel(next(iter(replies)))
    assert_same(run(parts, look(2))[0], cold(whole, look(2)))
    whole.close()
    parts.close()


def test_a_picture_that_must_be_seen_at_once_needs_room_for_it(seeing: Seeing) -> None:
    runner = seeing("gemma3", context_length=256, micro_batch_size=8)
    (reply,) = run(runner, look(1))
    assert reply.end.kind == "InvalidRequest"  # type: ignore[union-attr]
    assert "micro_batch_size" in reply.end.message  # type: ignore[union-attr]
    runner.close()


def test_a_picture_that_is_too_long_for_the_context_is_refused(seeing: Seeing) -> None:
    runner = seeing("qwen2vl", context_length=256)
    (reply,) = run(runner, ask(QUESTION, picture(1, 600, 600), ANSWER))
    assert reply.end.kind == "ContextLengthExceeded"  # type: ignore[union-attr]
    runner.close()


def test_pictures_are_looked_at_only_as_far_as_there_is_room(sturdy: Runner) -> None:
    (reply,) = run(sturdy, ask(QUESTION, *[picture(1)] * 40, BAD["half a PNG"], ANSWER))
    assert reply.end.kind == "ContextLengthExceeded"  # type: ignore[union-attr]
    (reply,) = run(sturdy, ask(QUESTION, *[picture(1)] * 65, ANSWER))
    assert "at most 64 pictures" in reply.end.message  # type: ignore[union-attr]


def test_a_model_without_eyes_says_so(tiny_model: Callable[[str], Path]) -> None:
    runner = load(tiny_model("llama"), context_length=256)
    (reply,) = run(runner, look(1))
    assert reply.end.kind == "InvalidRequest"  # type: ignore[union-attr]
    assert "projector" in reply.end.message  # type: ignore[union-attr]
    runner.close()
