"""What can be said to a model about its thinking, as its own chat template shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lmnb.models.gguf.info import read_model_info
from lmnb.models.gguf.reasoning import reasoning_options
from tests.synthetic import write_model

TEMPLATES = Path(__file__).parents[1] / "chat" / "data"


@pytest.mark.parametrize(
    ("name", "allowed", "default"),
    [
        ("qwen3", ("off", "on"), "on"),
        ("smollm3", ("off", "on"), "on"),
        ("gemma-4", ("off", "on"), "on"),
        ("deepseek-v3.1", ("off", "on"), "on"),
        ("granite-3.3", ("off", "on"), "on"),
        ("deepseek-r1-distill", ("on",), "on"),
        ("ministral-3-reasoning", ("on",), "on"),
        ("gpt-oss", ("low", "medium", "high"), "medium"),
    ],
)
def test_a_template_says_what_can_be_chosen(
    tmp_path: Path, name: str, allowed: tuple[str, ...], default: str
) -> None:
    template = (TEMPLATES / f"{name}.jinja").read_text()
    path = write_model(tmp_path / "model.gguf", "llama", chat_template=template)
    options = reasoning_options(read_model_info(path))
    assert options is not None
    assert (options.allowed, options.default) == (allowed, default)


def test_a_model_that_does_not_think_has_no_choice(tmp_path: Path) -> None:
    info = read_model_info(write_model(tmp_path / "model.gguf", "llama"))
    assert reasoning_options(info) is None
    assert reasoning_options(replace(info, chat_template=None)) is None
