"""A short name means the repository that a careful person would pick, by rules one can read."""

from __future__ import annotations

import pytest

from lmnb.models.hub.ranking import PUBLISHERS, is_certain, name_words, rank, words
from lmnb.models.hub.repository import HubFacts, HubRepo


def repo(id: str, downloads: int = 100, *, base: str = "", template: str | None = None) -> HubRepo:
    tags = (f"base_model:{base}", f"base_model:quantized:{base}") if base else ()
    facts = HubFacts(chat_template=template)
    return HubRepo(id=id, revision="0" * 40, downloads=downloads, tags=tags, facts=facts)


def first(name: str, *repos: HubRepo) -> tuple[str, bool]:
    ranked = rank(name, repos)
    return ranked[0].repo.id, is_certain(ranked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gemma-3-1b-it", "gemma 3 1b it"),
        ("Qwen2.5-7B-Instruct", "qwen 2.5 7b instruct"),
        ("qwen2.5 7b", "qwen 2.5 7b"),
        ("Mixtral-8x7B-v0.1", "mixtral 8x7b v 0.1"),
        ("Qwen3-30B-A3B", "qwen 3 30b a3b"),
        ("gemma-3n-E2B-it", "gemma 3n e2b it"),
        ("SmolLM2-135M", "smollm 2 135m"),
        ("e5-large", "e5 large"),
    ],
)
def test_names_are_words_and_numbers(name: str, expected: str) -> None:
    assert words(name) == expected.split()


def test_how_a_file_was_made_is_no_part_of_its_name() -> None:
    assert (
        name_words("gemma-3-1b-it-GGUF")
        == name_words("gemma-3-1b-it-Q4_K_M")
        == {*"gemma 3 1b it".split()}
    )


@pytest.mark.parametrize(
    "other", ["gemma-3-12b", "gemma-3-11b", "gemma-2-1b", "gemma-3n-E1B", "gemma-31b"]
)
def test_sizes_and_versions_are_exact(other: str) -> None:
    assert rank("gemma-3-1b", [repo(f"unsloth/{other}-it-GGUF")]) == []


def test_active_weights_are_no_size() -> None:
    assert rank("qwen3-3b", [repo("unsloth/Qwen3-30B-A3B-GGUF")]) == []


def test_the_exact_name_comes_before_a_popular_variation() -> None:
    exact = repo("bartowski/google_gemma-3-1b-it-GGUF", 10, base="google/gemma-3-1b-it")
    popular = repo("somebody/gemma-3-1b-it-abliterated-GGUF", 10**6)
    assert first("gemma-3-1b", popular, exact) == (exact.id, True)


def test_instruct_comes_before_base_unless_base_is_asked_for() -> None:
    instruct = repo("unsloth/gemma-3-1b-it-GGUF", 10)
    base = repo("unsloth/gemma-3-1b-pt-GGUF", 10**6)
    assert first("gemma-3-1b", base, instruct) == (instruct.id, True)
    assert first("gemma-3-1b-pt", base, instruct) == (base.id, True)
    assert rank("gemma-3-1b-instruct", [base]) == []


def test_a_chat_template_makes_a_name_without_a_kind_as_good_as_instruct() -> None:
    plain = repo("unsloth/Qwen3-8B-GGUF", 1000, template="{{ messages }}")
    renamed = repo("unsloth/Qwen3-8B-Instruct-GGUF", 10)
    silent = repo("unsloth/qwen3-8b-GGUF", 10**6)
    assert [one.repo.id for one in rank("qwen3-8b", [silent, renamed, plain])] == [
        plain.id,
        renamed.id,
        silent.id,
    ]


def test_known_publishers_come_before_popular_ones() -> None:
    known = repo("lmstudio-community/gemma-3-1b-it-GGUF", 10)
    popular = repo("random/gemma-3-1b-it-GGUF", 10**6)
    assert first("gemma-3-1b", popular, known) == (known.id, True)


def test_downloads_decide_between_equals() -> None:
    less, more = repo("unsloth/m-1b-GGUF", 10), repo("bartowski/m-1b-GGUF", 20)
    assert first("m-1b", less, more) == (more.id, True)


def test_words_that_nobody_asked_for_make_it_doubtful() -> None:
    assert first("gemma-3", repo("unsloth/gemma-3-1b-it-GGUF")) == (
        "unsloth/gemma-3-1b-it-GGUF",
        False,
    )


def test_strangers_with_the_same_name_make_it_doubtful() -> None:
    one, other = repo("a/m-1b-GGUF"), repo("b/m-1b-GGUF", 50)
    assert first("m-1b", one) == (one.id, True)
    assert first("m-1b", one, other) == (one.id, False)


def test_a_publisher_may_be_part_of_what_is_asked() -> None:
    mine, other = repo("maker/m-1b-GGUF", 1), repo("unsloth/m-1b-GGUF")
    assert first("maker m 1b", mine, other) == (mine.id, True)


def test_publishers_are_compared_in_lower_case() -> None:
    assert all(name == name.lower() for name in PUBLISHERS)
    assert rank("m", [repo("Qwen/m-GGUF")])[0].known
