"""Paths become LM Studio's names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from lmnb.models.names import Shard, files_of, hub_repository, name_of, shard_of

CASES = {
    # path below a root: (base name, quant, display name)
    "SmolLM2-135M-Instruct.Q4_1.gguf": ("smollm2-135m-instruct", "q4_1", "SmolLM2-135M-Instruct"),
    "gemma-3-270m-q4_k_m.gguf": ("gemma-3-270m", "q4_k_m", "gemma-3-270m"),
    "Qwen3-8B-UD-Q4_K_XL.gguf": ("qwen3-8b", "ud-q4_k_xl", "Qwen3-8B"),
    "phi-4-IQ3_XXS.gguf": ("phi-4", "iq3_xxs", "phi-4"),
    "model-of-mine.gguf": ("model-of-mine", "", "model-of-mine"),
    "all-MiniLM-L6-v2.F16.gguf": ("all-minilm-l6-v2", "f16", "all-MiniLM-L6-v2"),
    "gpt-oss-20b-mxfp4.gguf": ("gpt-oss-20b", "mxfp4", "gpt-oss-20b"),
    "big-Q8_0-00001-of-00003.gguf": ("big", "q8_0", "big"),
    "lmstudio-community/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf": (
        "lmstudio-community/gemma-3-1b-it",
        "q4_k_m",
        "gemma-3-1b-it",
    ),
    "models--Bartowski--Llama-3.2-1B-GGUF/snapshots/abc/Llama-3.2-1B-Q5_K_S.gguf": (
        "bartowski/llama-3.2-1b",
        "q5_k_s",
        "Llama-3.2-1B",
    ),
    "owner/Some-Model-GGUF/ggml-model-Q4_0.gguf": ("owner/some-model", "q4_0", "Some-Model"),
    "owner/Some-Model-GGUF/Q4_0.gguf": ("owner/some-model", "q4_0", "Some-Model"),
    "owner/Some-i1-GGUF/Some.i1-IQ2_M.gguf": ("owner/some", "i1-iq2_m", "Some"),
    "folder/thing-Q4_0.gguf": ("thing", "q4_0", "thing"),
    "a/b/c/d/deep-Q4_0.gguf": ("a/deep", "q4_0", "deep"),
    "Q4_0.gguf": ("q4_0", "", "Q4_0"),
    "model.gguf": ("model", "", "model"),
}


@pytest.mark.parametrize("path", CASES)
def test_a_path_names_its_model(path: str) -> None:
    name = name_of(PurePosixPath(path))
    assert (name.base, name.quant, name.display) == CASES[path]


def test_shards_are_recognised() -> None:
    assert shard_of("big-Q8_0-00002-of-00003") == Shard("big-Q8_0", 2, 3)
    assert shard_of("big-Q8_0") is None
    assert [file.name for file in files_of(Path("x/a-00001-of-00002.gguf"))] == [
        "a-00001-of-00002.gguf",
        "a-00002-of-00002.gguf",
    ]


@pytest.mark.parametrize(
    ("folder", "repository"),
    [
        ("models--owner--repo", ("owner", "repo")),
        ("models--gpt2", ("", "gpt2")),
        ("datasets--a--b", None),
        ("plain", None),
    ],
)
def test_folders_of_the_hub_cache_name_their_repository(
    folder: str, repository: tuple[str, str] | None
) -> None:
    assert hub_repository(folder) == repository
