"""A repository's files become models, projectors and adapters by their names; fit is arithmetic."""

from __future__ import annotations

import pytest

from lmnb.models.fit import Memory, fit, needed, recommended
from lmnb.models.hub.repository import HubFile
from lmnb.models.hub.variants import Contents, contents
from lmnb.models.quant_names import choose, split_quant

GIB = 1 << 30


def of(*paths: str, size: int = 1000) -> Contents:
    return contents(HubFile(path=path, size=size) for path in paths)


def shown(found: Contents) -> list[tuple[str, str, int]]:
    return [(one.model, one.quant, len(one.files)) for one in found.variants]


def test_each_quantisation_is_a_variant() -> None:
    found = of(
        "README.md", "gemma-3-1b-it-Q4_K_M.gguf", "gemma-3-1b-it.fp16.gguf", "UD-Q2_K_XL.gguf"
    )
    assert shown(found) == [
        ("", "UD-Q2_K_XL", 1),
        ("gemma-3-1b-it", "F16", 1),
        ("gemma-3-1b-it", "Q4_K_M", 1),
    ]


def test_shards_are_one_variant_in_order_wherever_they_lie() -> None:
    shards = [f"Q8_0/big-Q8_0-0000{number}-of-00003.gguf" for number in (3, 1, 2)]
    found = of(*shards, "BF16/big-00001-of-00001.gguf")
    assert shown(found) == [("big", "BF16", 1), ("big", "Q8_0", 3)]
    assert [file.path for file in found.variants[1].files] == sorted(shards)
    assert found.variants[1].size_bytes == 3000


def test_a_set_with_a_shard_missing_is_no_variant() -> None:
    assert shown(of("big-Q8_0-00001-of-00003.gguf", "big-Q8_0-00003-of-00003.gguf")) == []


def test_what_is_no_model_is_recognised() -> None:
    found = of(
        "model-Q4_0.gguf",
        "mmproj-model-f16.gguf",
        "my-lora-f16.gguf",
        "model.imatrix.gguf",
        "imatrix.gguf",
        "imatrix.dat",
        "model-Q5_0-imatrix.gguf",
        "flora-Q4_0.gguf",
        "model-lora-merged-Q4_0.gguf",
    )
    assert [one.file.path for one in found.projectors] == ["mmproj-model-f16.gguf"]
    assert [one.file.path for one in found.adapters] == ["my-lora-f16.gguf"]
    assert {one.files[0].path for one in found.variants} == {
        "model-Q4_0.gguf",
        "model-Q5_0-imatrix.gguf",
        "flora-Q4_0.gguf",
        "model-lora-merged-Q4_0.gguf",
    }


def test_the_projector_is_the_model_s_own_in_sixteen_bits() -> None:
    names = ("mmproj-F32.gguf", "mmproj-F16.gguf", "mmproj-Q8_0.gguf")
    found = of("gemma-Q4_0.gguf", *names)
    projector = found.projector(found.variants[0])
    assert projector is not None
    assert projector.file.path == "mmproj-F16.gguf"
    both = of("a-Q4_0.gguf", "b-Q4_0.gguf", "mmproj-b-F16.gguf")
    assert both.projector(both.variants[0]) is None
    assert both.projector(both.variants[1]) == both.projectors[0]


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("m-Q4_K_M", ("m", "Q4_K_M")),
        ("m.i1-IQ2_XXS", ("m", "i1-IQ2_XXS")),
        ("m-q4_0-imat", ("m-imat", "q4_0")),
        ("qwen3-4b", ("qwen3-4b", "")),
        ("m-Q4_0_4_8", ("m", "Q4_0_4_8")),
        ("m-Q4_K_M_custom", ("m_custom", "Q4_K_M")),
    ],
)
def test_quantisations_are_read_from_names(stem: str, parts: tuple[str, str]) -> None:
    assert split_quant(stem) == parts


def test_a_wish_for_a_quantisation_may_be_loose() -> None:
    given = ["Q8_0", "UD-Q4_K_XL", "Q4_K_S", "Q4_K_M", "BF16"]
    assert choose("q4-k-m", given) == ["Q4_K_M"]
    assert choose("Q4", given) == ["Q4_K_M", "Q4_K_S", "UD-Q4_K_XL"]
    assert choose("q4_k_xl", given) == ["UD-Q4_K_XL"]
    assert choose("f16", given) == []


def test_needed_grows_with_files_and_weights() -> None:
    assert needed(GIB, 10**9) == round(1.1 * GIB) + 4096 * 40 * 1024
    assert needed(GIB, 4 * 10**9) == round(1.1 * GIB) + 2 * 4096 * 40 * 1024


@pytest.mark.parametrize(
    ("gpu", "ram", "expected"),
    [
        (10, 0, "full_gpu"),
        (9, 1, "partial_gpu"),
        (9, 0, "too_large"),
        (0, 10, "cpu"),
        (0, 9, "too_large"),
    ],
)
def test_fit_says_where(gpu: int, ram: int, expected: str) -> None:
    assert fit(10, Memory(gpu, ram)) == expected


def variants(**sizes: int) -> Contents:
    """In GiB, by quantisation."""
    files = (HubFile(path=f"m-{quant}.gguf", size=size * GIB) for quant, size in sizes.items())
    return contents(files)


@pytest.mark.parametrize(
    ("gpu", "ram", "expected"),
    [
        (0, 64, "Q4_K_M"),
        (0, 9, "Q4_K_M"),
        (0, 5, "Q3_K_L"),
        (0, 4, "IQ2_M"),
        (0, 1, None),
        (16, 16, "Q4_K_M"),
        (4, 8, "Q4_K_M"),
        (1, 4, "Q3_K_L"),
    ],
)
def test_the_recommended_quantisation_follows_the_memory(
    gpu: int, ram: int, expected: str | None
) -> None:
    here = variants(IQ2_M=3, Q3_K_L=4, Q4_K_M=5, Q6_K=7, Q8_0=9)
    chosen = recommended(here.variants, Memory(gpu * GIB, ram * GIB), 8 * 10**9)
    assert (chosen.quant if chosen else None) == expected


def test_more_bits_are_taken_where_there_are_no_four() -> None:
    chosen = recommended(variants(Q2_K=1, Q8_0=3, F16=6).variants, Memory(0, 64 * GIB))
    assert chosen is not None
    assert chosen.quant == "Q8_0"
