"""The arithmetic agrees with what llama.cpp then allocates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest

from lmnb.engine.options import LoadOptions
from lmnb.models.gguf.header import read_header
from lmnb.models.memory.blueprint import Blueprint, blueprint
from lmnb.models.memory.need import Device, Machine, Need, needs
from lmnb.service.shapes import shape_of
from tests.measured import measure, repacked
from tests.sized import Sized, write_sized

MIB = 1 << 20
Pooling = gguf.PoolingType
Q4_0, Q4_K = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q4_K

MODELS = {
    "dense, as many keys as heads": Sized("llama", kv_heads=8),
    "dense, grouped queries, Q4_K": Sized("llama", kind=Q4_K, forward=1536),
    "experts": Sized("llama", experts=4),
    "biases, tied": Sized("qwen2", tied=True),
    "tied, Q4_0": Sized("qwen2", tied=True, kind=Q4_0, forward=1536),
    "normed queries": Sized("qwen3"),
    "many experts": Sized("qwen3moe", experts=16),
    "windows and a soft cap": Sized("gemma2", tied=True, layers=6),
    "windows": Sized("gemma3", tied=True, layers=7),
    "windows, heads of two lengths": Sized("gemma4", tied=True, layers=7),
    "joined matrices": Sized("phi3"),
    "norms after": Sized("olmo2"),
    "experts, windows, sinks": Sized("gpt-oss", experts=8),
    "latent attention": Sized("deepseek2", experts=8),
    "state space": Sized("mamba"),
    "state space, grouped": Sized("mamba2"),
    "state space and attention": Sized("jamba", layers=8, experts=4),
    "short convolutions": Sized("lfm2", layers=6),
    "delta networks and attention": Sized("qwen35", layers=8),
    "side by side": Sized("falcon", kv_heads=1),
    "encoder": Sized("bert", tied=True, context=512, pooling=Pooling.MEAN),
    "vectors": Sized("qwen3", tied=True, context=1024, pooling=Pooling.LAST),
}
OPTIONS = {
    "defaults": LoadOptions(),
    "eight caches": LoadOptions(slots=8, context_length=1024),
    "no flash attention": LoadOptions(flash_attention=False, context_length=2048),
    "short windows": LoadOptions(swa_full=False, slots=2),
    "quantised cache": LoadOptions(
        cache_type_k="q8_0", cache_type_v="q8_0", slots=1, micro_batch_size=128, batch_size=256
    ),
    "read, not mapped": LoadOptions(mmap=False, context_length=600, slots=3),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sized")


def machine() -> Machine:
    return Machine(Device("CPU", "cpu", 1 << 34, 1 << 34), (), repacked())


def of(path: Path) -> Blueprint:
    return blueprint([read_header(path)])


def estimate(path: Path, options: LoadOptions) -> Need:
    model = of(path)
    (need,) = needs(model, shape_of(model.info, options), machine())
    return need


def check(path: Path, options: LoadOptions) -> None:
    need, real = estimate(path, options), measure(path, options)
    assert need.total / MIB == pytest.approx(sum(real.values()), rel=0.05)
    assert need.weights / MIB == pytest.approx(real["weights"], rel=0.01)
    assert need.cache / MIB == pytest.approx(real.get("cache", 0.0), rel=0.01, abs=0.02)
    assert need.compute / MIB == pytest.approx(real["compute"], rel=0.15)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", MODELS)
def test_within_5_percent_of_what_llama_cpp_allocates(
    folder: Path, name: str, options: LoadOptions
) -> None:
    path = folder / f"{name}.gguf"
    if not path.exists():
        write_sized(path, replace(MODELS[name], tensors=[]))
    check(path, options)


@pytest.mark.parametrize(
    "options",
    [
        LoadOptions(),
        LoadOptions(slots=8, context_length=512),
        LoadOptions(flash_attention=False),
        LoadOptions(swa_full=False, micro_batch_size=256, slots=2),
        LoadOptions(cache_type_k="q4_0", cache_type_v="q8_0", mmap=False),
        LoadOptions(embeddings=True, context_length=300),
    ],
)
def test_real_models_too(smollm2: Path, gemma: Path, options: LoadOptions) -> None:
    check(smollm2, options)
    check(gemma, options)
