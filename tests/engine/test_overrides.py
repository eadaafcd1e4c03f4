"""What a load says instead of the file's header."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lmnb.errors import LoadFailed

from .driver import load, request, run


def answer(path: Path, **options: object) -> list[float]:
    runner = load(path, context_length=256, **options)
    (reply,) = run(runner, request("Once upon a time", max_tokens=1, logprobs=5))
    runner.close()
    return [one.logprob for one in reply.logprobs[0].top]


def test_more_experts_answer_otherwise(tiny_model: Callable[[str], Path]) -> None:
    path = tiny_model("qwen3moe")
    assert answer(path) == pytest.approx(answer(path, num_experts=2), abs=0.01)
    assert answer(path) != pytest.approx(answer(path, num_experts=4), abs=0.01)


def test_more_experts_than_there_are_are_refused(tiny_model: Callable[[str], Path]) -> None:
    with pytest.raises(LoadFailed, match="has 4 experts"):
        load(tiny_model("qwen3moe"), num_experts=5)


def test_a_model_without_experts_is_loaded_as_ever(tiny_model: Callable[[str], Path]) -> None:
    assert answer(tiny_model("llama"), num_experts=3) == pytest.approx(
        answer(tiny_model("llama")), abs=0.01
    )
