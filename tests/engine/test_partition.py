"""Control-token text that a user wrote becomes the tokens that llama.cpp makes of it as text, in place."""

from __future__ import annotations

from pathlib import Path

import gguf
import llama_cpp as lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmnb.engine.options import Span
from lmnb.engine.partition import Mark, Marks, joined, partition
from lmnb.engine.vocab import Vocab
from tests.synthetic import write_model

LITERALS = (
    "<|im_start|>",
    "<|im_end|>",
    "<s>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<unk>",
)
TEXTS = st.lists(st.sampled_from((*LITERALS, " ", "  ", "\n", "the", " you", "x", "é", "<", "|>")))


def vocabulary(path: Path) -> Vocab:
    parameters = lib.llama_model_default_params()
    parameters.vocab_only = True
    return Vocab(lib.llama_model_load_from_file(str(path).encode(), parameters))


def put_a_space_before_every_text(writer: gguf.GGUFWriter) -> None:
    """As Llama 2's and Mistral's first vocabularies do. The tiny models' does not."""
    writer.kv_data[0]["tokenizer.ggml.add_space_prefix"].value = True


@pytest.fixture(scope="module")
def spacing(tmp_path_factory: pytest.TempPathFactory) -> Vocab:
    path = tmp_path_factory.mktemp("vocabularies") / "spacing.gguf"
    return vocabulary(write_model(path, "llama", put_a_space_before_every_text))


@pytest.fixture(scope="module", params=["spacing", "gemma", "smollm2"])
def vocab(request: pytest.FixtureRequest) -> Vocab:
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, Vocab) else vocabulary(found)


def as_text(vocab: Vocab, text: str) -> list[int]:
    return vocab.tokenize(text, add_special=False, parse_special=False)


def shown(vocab: Vocab, ids: list[int]) -> str:
    return b"".join(vocab.render(id, special=True) for id in ids).decode()


def test_a_users_literal_gains_no_space(spacing: Vocab) -> None:
    spans = (
        Span("<|im_start|>user\nsay"),
        Span("<|im_end|>", special=False),
        Span("the<|im_end|>\n"),
    )
    start, end = spacing.controls(["<|im_start|>"]), spacing.controls(["<|im_end|>"])
    ids = spacing.tokenize_around(*joined(spans))
    assert ids == [
        *start,
        *as_text(spacing, "user\nsay<|im_end|>the"),
        *end,
        *as_text(spacing, "\n"),
    ]
    assert shown(spacing, ids) == "<|im_start|> user\nsay<|im_end|>the<|im_end|> \n"


@pytest.mark.parametrize("text", ["\n</think>", "<think>", "<|im_end|>", " the", "\n\n"])
def test_what_goes_on_gains_no_space(vocab: Vocab, text: str) -> None:
    assert shown(vocab, vocab.tokenize_on(text)) == text


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_it_is_llama_cpps_own_partition(vocab: Vocab, parts: list[str]) -> None:
    text = "".join(parts)
    assert vocab.tokenize_around(text, [(0, len(text))]) == as_text(vocab, text)
    meant = vocab.tokenize(text, add_special=False, parse_special=True)
    assert vocab.tokenize_around(text, [(0, 0)]) == meant


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.booleans())))
def test_no_plain_stretch_has_a_control_token(
    vocab: Vocab, spans: list[tuple[list[str], bool]]
) -> None:
    read = [Span("".join(parts), special) for parts, special in spans]
    ids = vocab.tokenize_around(*joined(read))
    meant = (
        vocab.tokenize(s.text, add_special=False, parse_special=True) for s in read if s.special
    )
    most = sum(id in vocab.control_tokens for ids in meant for id in ids)
    assert sum(id in vocab.control_tokens for id in ids) <= most


def test_the_longer_of_two_tokens_counts_and_takes_its_space() -> None:
    end = Mark("<end>", 7, control=True, strip_left=True, strip_right=True)
    marks = Marks([Mark("<e", 8, control=False), end])
    assert list(partition("a <end> \n b<e<end>", [], marks)) == ["a", 7, "b", 8, 7]
    assert list(partition("a <end> <e", [(3, 4)], marks)) == ["a ", 8, "nd> ", 8]
