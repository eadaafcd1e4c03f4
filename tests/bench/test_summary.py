"""Figures from samples: arithmetic only, no timing."""

from __future__ import annotations

import json
import math

import pytest

from bench.client import Sample, SseReader, _read_object
from bench.memory import parse_pss
from bench.prompts import make_prompts
from bench.summary import percentile, summarise, to_json


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([3.0], 99, 3.0), ([1, 2, 3, 4], 50, 2.5), ([4, 1, 3, 2], 0, 1), ([1, 2, 3, 4], 95, 3.85)],
)
def test_percentile_interpolates_like_numpy(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


def test_percentile_of_nothing_is_nan() -> None:
    assert math.isnan(percentile([], 50))


def sample(started: float, texts: list[float], **fields: object) -> Sample:
    made = Sample(started=started, ended=texts[-1] if texts else started + 1, texts=texts)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_tokens_come_from_usage_not_from_events() -> None:
    """An engine may put several tokens into one event, as long as it counts them."""
    summary = summarise(
        [
            sample(0.0, [1.0, 2.0, 3.0], completion_tokens=9, prompt_tokens=5),
            sample(0.5, [2.0, 4.0], completion_tokens=5, prompt_tokens=5),
        ]
    )
    assert summary.counted_by == "usage"
    assert summary.output_tokens == 14
    assert summary.output_tokens_per_second == pytest.approx(14 / 4)
    assert summary.decode_tokens_per_second == pytest.approx((8 / 2 + 4 / 2) / 2)
    assert summary.first_token_ms.p50 == pytest.approx(1250)
    assert summary.gap_ms.p50 == pytest.approx(1000)


def test_a_server_without_usage_is_counted_by_events_and_that_is_said() -> None:
    summary = summarise([sample(0.0, [1.0, 2.0])])
    assert (summary.counted_by, summary.output_tokens) == ("events", 2)


def test_errors_are_named_and_give_no_tokens() -> None:
    failed = sample(0.0, [0.5], completion_tokens=7, error="503")
    summary = summarise([failed, sample(0.0, [1.0, 2.0], completion_tokens=2)])
    assert (summary.errors, summary.output_tokens, summary.requests) == (("503",), 2, 2)


def test_json_has_no_nan() -> None:
    text = json.dumps(to_json(summarise([])), allow_nan=False)
    assert json.loads(text)["decode_tokens_per_second"] is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_sse_events_survive_any_cutting(size: int) -> None:
    stream = b': ping\n\ndata: {"a": 1}\r\n\r\nevent: x\ndata:one\ndata: two\n\ndata: [DONE]\n\n'
    reader = SseReader()
    events = [
        event
        for start in range(0, len(stream), size)
        for event in reader.feed(stream[start : start + size])
    ]
    assert events == [b'{"a": 1}', b"one\ntwo", b"[DONE]"]


def test_only_chunks_with_text_count_as_text() -> None:
    made = Sample(started=0.0)
    assert not _read_object({"choices": [{"delta": {"role": "assistant", "content": None}}]}, made)
    assert _read_object({"choices": [{"delta": {"content": "a"}}]}, made)
    assert _read_object({"choices": [{"delta": {"reasoning_content": "b"}}]}, made)
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    assert not _read_object({"choices": [], "usage": usage}, made)
    assert (made.prompt_tokens, made.completion_tokens, made.cached_tokens) == (3, 2, 1)


def test_prompts_are_fresh_for_each_seed_and_share_what_they_should() -> None:
    first = make_prompts(3, tokens=100, shared_prefix=0.5, seed=1)
    assert first == make_prompts(3, tokens=100, shared_prefix=0.5, seed=1)
    assert len(set(first)) == 3
    words = [prompt.split() for prompt in first]
    assert words[0][:45] == words[1][:45] == words[2][:45]
    other = make_prompts(3, tokens=100, shared_prefix=0.5, seed=2)
    assert other[0].split()[:45] != words[0][:45]
    again = make_prompts(3, tokens=100, shared_prefix=0.5, seed=2, prefix_seed=1)
    assert again[0].split()[:45] == words[0][:45]
    assert again[0] != first[0]


def test_pss_is_read_from_the_rollup() -> None:
    assert parse_pss("00-ff ---p [rollup]\nRss:  900 kB\nPss:  512 kB\nPss_Anon: 1 kB\n") == 512
