"""The parts of the arithmetic: the allocator's rules, and headers that say strange things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmnb.models.gguf.header import Array, Header, InvalidGGUF, Value, read_header
from lmnb.models.memory.allocator import Node, buffer_size
from lmnb.models.memory.arithmetic import size
from lmnb.models.memory.blueprint import blueprint
from lmnb.models.memory.need import Device, Machine, needs
from lmnb.models.memory.shape import LoadShape
from lmnb.models.memory.weights import repacked_types

SHAPE = LoadShape(
    context=1000, lanes=4, unified=True, batch=512, micro_batch=256, key_type=1, value_type=1
)
MACHINE = Machine(
    Device("CPU", "cpu", 1 << 40, 1 << 40), (Device("CUDA0", "gpu", 1 << 40, 1 << 40),)
)


def test_a_tensor_takes_the_place_of_one_that_nobody_needs() -> None:
    chain = [Node(320, given=True), *(Node(320, (index,)) for index in range(10))]
    assert buffer_size(chain) == 2 * 320


def test_in_place_needs_no_room_of_its_own() -> None:
    chain = [Node(320, given=True), *(Node(320, (index,), in_place=True) for index in range(10))]
    assert buffer_size(chain) == 320


def test_what_somebody_will_read_stays() -> None:
    nodes = [Node(320), Node(320, (0,), in_place=True), Node(320, (1,)), Node(0, (0, 2))]
    assert buffer_size(nodes) == 3 * 320


def test_a_hole_is_used_if_it_is_large_enough() -> None:
    nodes = [Node(640), Node(320), Node(0, (0,)), Node(640), Node(0, (1, 3))]
    assert buffer_size(nodes) == 960
    assert buffer_size([*nodes[:3], Node(960), Node(0, (1, 3))]) == 1920


def test_places_are_aligned_and_neighbouring_holes_are_one() -> None:
    assert buffer_size([Node(1), Node(33), Node(0, (0,)), Node(0, (1,)), Node(96)]) == 96


def test_repacking_is_a_matter_of_the_processor() -> None:
    assert "Q4_K" in repacked_types({"REPACK", "AVX2"})
    assert "Q2_K" not in repacked_types({"REPACK", "AVX2"})
    assert "Q8_0" in repacked_types({"REPACK", "NEON", "DOTPROD"})
    assert repacked_types({"AVX2"}) == repacked_types({"REPACK"}) == frozenset()


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.00 GiB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_more_layers_than_there_can_be_are_refused(tiny_model: Callable[[str], Path]) -> None:
    header = read_header(tiny_model("llama"))
    many = replace(header, metadata={**header.metadata, "llama.block_count": 2**31})
    with pytest.raises(InvalidGGUF, match="claims 2147483648 layers"):
        blueprint([many])


VALUES = st.one_of(
    st.integers(-5, 70000),
    st.integers(0, 2**63),
    st.floats(allow_nan=True),
    st.text(max_size=5),
    st.booleans(),
    st.lists(st.integers(-3, 300), max_size=8).map(lambda v: Array(len(v), tuple(v))),
    st.lists(st.booleans(), max_size=8).map(lambda v: Array(len(v), tuple(v))),
)
NAMES = ("llama", "gemma3", "mamba", "jamba")
KEYS = (
    "block_count embedding_length feed_forward_length attention.head_count attention.head_count_kv "
    "attention.key_length attention.value_length attention.key_length_mla attention.sliding_window "
    "attention.sliding_window_pattern attention.shared_kv_layers attention.recurrent_layers "
    "expert_count expert_used_count full_attention_interval nextn_predict_layers ssm.inner_size "
    "ssm.conv_kernel ssm.state_size ssm.group_count shortconv.l_cache wkv.head_size kda.head_dim"
).split()

TENSOR_NAMES = (
    "",
    "blk.",
    "blk.x.attn_q.weight",
    "blk.-1.a",
    "blk.99999999999.a",
    "token_embd.weight",
)
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (64, 0), (1, 2, 3, 4))


@pytest.fixture(scope="module")
def header_of(tiny_model: Callable[[str], Path]) -> Callable[[str], Header]:
    headers = {name: read_header(tiny_model(name)) for name in NAMES}
    return lambda name: headers[name]  # Hypothesis would write down a dictionary


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(NAMES),
    changes=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    missing=st.lists(st.integers(0, 80), max_size=20),
    named=st.dictionaries(st.integers(0, 80), st.sampled_from(TENSOR_NAMES), max_size=3),
    shaped=st.dictionaries(st.integers(0, 80), st.sampled_from(SHAPES), max_size=3),
    layers=st.integers(0, 5),
)
def test_whatever_a_header_says_there_is_an_answer_or_a_reason(
    header_of: Callable[[str], Header],
    name: str,
    changes: dict[str, Value],
    missing: list[int],
    named: dict[int, str],
    shaped: dict[int, tuple[int, ...]],
    layers: int,
) -> None:
    header = header_of(name)
    changed = {f"{name}.{key}": value for key, value in changes.items()}
    here = [
        replace(tensor, name=named.get(i, tensor.name), shape=shaped.get(i, tensor.shape))
        for i, tensor in enumerate(header.tensors)
        if i not in missing
    ]
    strange = replace(header, metadata={**header.metadata, **changed}, tensors=tuple(here))
    try:
        model = blueprint([strange])
    except InvalidGGUF:
        return
    for need in needs(model, replace(SHAPE, gpu_layers=layers), MACHINE):
        assert min(need.weights, need.cache, need.compute, need.total) >= 0
