"""The facts that are taken from a header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lmnb.models.gguf.info import ModelInfo, read_model_info
from tests.models import raw


def info(
    tmp_path: Path, metadata: Sequence[bytes], name: str = "llama", **options: int
) -> ModelInfo:
    content = raw.model(name=name, metadata=metadata, **options)
    return read_model_info(raw.put(tmp_path / "model.gguf", content))


def test_facts_of_smollm2(smollm2: Path) -> None:
    facts = read_model_info(smollm2)
    assert (facts.kind, facts.architecture) == ("llm", "llama")
    assert (facts.parameters, facts.params_string) == (134515008, "135M")
    assert (facts.quantization, facts.nominal_bits) == ("Q4_1", 4)
    assert facts.bits_per_weight == pytest.approx(5.74, abs=0.01)
    assert (facts.layers, facts.context_length, facts.embedding_length) == (30, 8192, 576)
    assert (facts.vocab_size, facts.tensor_bytes) == (49152, 96576768)
    assert facts.chat_template is not None
    assert not (facts.tool_use or facts.reasoning or facts.vision or facts.recurrent)


def test_facts_of_gemma(gemma: Path) -> None:
    facts = read_model_info(gemma)
    assert (facts.quantization, facts.params_string) == ("Q4_K_M", "270M")
    assert (facts.sliding_window, facts.vocab_size) == (512, 262144)
    assert facts.chat_template is None


@pytest.mark.parametrize(
    ("architecture", "recurrent", "window"),
    [("llama", False, 0), ("gemma3", False, 32), ("mamba", True, 0), ("jamba", True, 0)],
)
def test_the_kind_of_memory_shows(
    architecture: str, recurrent: bool, window: int, tiny_model: Callable[[str], Path]
) -> None:
    facts = read_model_info(tiny_model(architecture))
    assert (facts.recurrent, facts.sliding_window) == (recurrent, window)


@pytest.mark.parametrize(
    ("name", "metadata", "kind"),
    [
        ("llama", [], "llm"),
        ("bert", [], "embedding"),
        ("qwen3", [raw.number("qwen3.pooling_type", 3)], "embedding"),
        ("qwen3", [raw.number("qwen3.pooling_type", 4)], "reranker"),
        ("qwen3", [raw.number("qwen3.pooling_type", 0)], "llm"),
        ("clip", [], "projector"),
        ("clip", [raw.string("general.type", "mmproj")], "projector"),
        ("llama", [raw.string("general.type", "adapter")], "adapter"),
        ("imatrix", [raw.string("general.type", "imatrix")], "other"),
    ],
)
def test_kinds_of_files(name: str, metadata: list[bytes], kind: str, tmp_path: Path) -> None:
    assert info(tmp_path, metadata, name).kind == kind


def test_a_file_without_weights_is_a_vocabulary(tmp_path: Path) -> None:
    path = raw.put(tmp_path / "v.gguf", raw.gguf([raw.string("general.architecture", "llama")]))
    assert read_model_info(path).kind == "vocabulary"


@pytest.mark.parametrize(
    ("template", "capability"),
    [
        ("{% if tools %}{{ tools | tojson }}{% endif %}", "tool_use"),
        ("{% if enable_thinking %}<think>{% endif %}", "reasoning"),
        ("{{ '<|START_THINKING|>' + message.thoughts }}", "reasoning"),
        ("{% if part.type == 'image' %}<image>{% endif %}", "vision"),
    ],
)
def test_capabilities_come_from_the_template(
    template: str, capability: str, tmp_path: Path
) -> None:
    facts = info(tmp_path, [raw.string("tokenizer.chat_template", template)])
    assert {name for name in ("tool_use", "reasoning", "vision") if getattr(facts, name)} == {
        capability
    }


def test_experts_are_counted(tmp_path: Path) -> None:
    metadata = [raw.number("llama.expert_count", 8), raw.number("llama.expert_used_count", 2)]
    facts = info(tmp_path, metadata)
    assert (facts.experts, facts.experts_used) == (8, 2)


def test_without_a_file_type_the_commonest_tensor_type_names_the_quantisation(
    tmp_path: Path,
) -> None:
    assert info(tmp_path, []).quantization == "F32"
    assert info(tmp_path, [], kind=8).quantization == "Q8_0"


def test_a_guessed_file_type_counts(tmp_path: Path) -> None:
    assert info(tmp_path, [raw.number("general.file_type", 1024 + 15)]).quantization == "Q4_K_M"


def test_a_name_has_an_end(tmp_path: Path) -> None:
    assert info(tmp_path, [raw.string("general.name", "x" * 100_000)]).name == "x" * 256


def test_of_numbers_for_each_layer_the_largest_counts(tmp_path: Path) -> None:
    counts = raw.array("llama.expert_used_count", raw.U32, 3, b"".join(map(raw.u32, (0, 4, 2))))
    assert info(tmp_path, [counts]).experts_used == 4


def test_values_of_the_wrong_type_count_as_not_given(tmp_path: Path) -> None:
    metadata = [
        raw.string("llama.block_count", "many"),
        raw.number("general.name", 3),
        raw.entry("general.file_type", raw.F32, raw.u32(0)),
        raw.entry("llama.pooling_type", raw.BOOL, b"\x01"),
        raw.string("tokenizer.ggml.tokens", "x"),
    ]
    facts = info(tmp_path, metadata)
    assert (facts.layers, facts.name, facts.pooling, facts.vocab_size) == (0, "", None, 0)
    assert facts.quantization == "F32"


@pytest.mark.parametrize(
    ("values", "text"), [(64, "64"), (1_234, "1.23K"), (7_000, "7K"), (1_000_000, "1M")]
)
def test_parameters_are_rounded_where_there_is_no_label(
    values: int, text: str, tmp_path: Path
) -> None:
    assert info(tmp_path, [], values=values).params_string == text


@pytest.mark.parametrize("mark", ["<|fim_prefix|>", "▁<PRE>"])
def test_a_vocabulary_with_marks_for_it_can_fill_in_the_middle(tmp_path: Path, mark: str) -> None:
    tokens = [raw.text("a"), raw.text(mark), raw.text("b")]
    vocabulary = raw.array("tokenizer.ggml.tokens", raw.STRING, 3, b"".join(tokens))
    assert info(tmp_path, [vocabulary]).fill_in_the_middle


def test_a_text_that_only_contains_the_mark_is_no_mark(tmp_path: Path) -> None:
    vocabulary = raw.array("tokenizer.ggml.tokens", raw.STRING, 1, raw.text("a<|fim_prefix|>"))
    assert not info(tmp_path, [vocabulary]).fill_in_the_middle


def test_a_model_may_name_the_token_for_it(tmp_path: Path) -> None:
    assert info(tmp_path, [raw.number("tokenizer.ggml.fim_pre_token_id", 7)]).fill_in_the_middle


def test_models_that_write_on_cannot_fill_in(smollm2: Path) -> None:
    assert not read_model_info(smollm2).fill_in_the_middle
