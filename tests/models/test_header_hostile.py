"""Whatever the bytes: an answer or a reason, at once, in little memory."""

from __future__ import annotations

import os
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmnb.models.gguf.header import InvalidGGUF, read_header
from lmnb.models.gguf.info import model_info
from tests.computing import computing_at_most
from tests.models import raw
from tests.synthetic import write_model

MUTATIONS = 2000
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The header of a real model (tiny, so that mutations hit all of it) and its first weights."""
    path = write_model(tmp_path_factory.mktemp("seed") / "seed.gguf", "gemma3")
    header = read_header(path)
    return path.read_bytes()[: header.data_offset]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "model.gguf"


@settings(
    max_examples=MUTATIONS, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(data=st.data())
def test_mutated_headers_are_read_or_refused(
    data: st.DataObject, seed: bytes, scratch: Path
) -> None:
    content = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(("bits", "extreme", "cut", "insert")))
        if kind == "bits":
            content[position] ^= data.draw(st.integers(1, 255))
        elif kind == "extreme":
            value = struct.pack("<Q", data.draw(st.sampled_from(EXTREMES)))
            content[position : position + 8] = value[: data.draw(st.sampled_from((1, 4, 8)))]
        elif kind == "cut":
            del content[position : position + data.draw(st.integers(1, 64))]
        else:
            content[position:position] = data.draw(st.binary(min_size=1, max_size=64))
    scratch.write_bytes(content)
    os.truncate(scratch, len(content) + (1 << 20))
    with computing_at_most(0.5), suppress(InvalidGGUF):
        model_info([read_header(scratch)])


@settings(max_examples=500, deadline=None, database=None)
@given(content=st.binary(max_size=200))
def test_garbage_after_the_magic_is_read_or_refused(content: bytes, scratch: Path) -> None:
    scratch.write_bytes(b"GGUF" + raw.u32(3) + content)
    try:
        model_info([read_header(scratch)])
    except InvalidGGUF:
        pass


def sparse(path: Path, head: bytes, size: int) -> Path:
    """A file that claims `size` bytes and takes none: what comes after `head` is zeros."""
    raw.put(path, head)
    os.truncate(path, size)
    return path


BOMBS = {
    "a string as large as the file": raw.gguf([raw.entry("a", 8, raw.u64(2**39))]),
    "an array as large as the file": raw.gguf([raw.array("a", raw.U8, 2**39, b"")]),
    "a vocabulary as large as the file": raw.gguf([raw.array("a", raw.STRING, 2**36, b"")]),
    "as many entries as fit": raw.gguf(counts=(0, 2**16)),
    "as many tensors as fit": raw.gguf(counts=(2**16, 0)),
    "a long text in every entry": raw.gguf(
        [raw.entry(f"k{i}", 8, raw.text(bytes(2**20))) for i in range(10)]
    ),
    "numbers in every entry": raw.gguf(
        [raw.array(f"k{i}", raw.F32, 4096, bytes(4 * 4096)) for i in range(1000)]
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_header_bomb_costs_neither_time_nor_memory(bomb: str, tmp_path: Path) -> None:
    path = sparse(tmp_path / "bomb.gguf", BOMBS[bomb], 2**40)
    with computing_at_most(2), pytest.raises(InvalidGGUF):
        read_header(path)
    tracemalloc.start()  # which takes its time too
    try:
        with pytest.raises(InvalidGGUF):
            read_header(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 128 << 20


def test_strings_far_apart_do_not_have_the_whole_file_read(tmp_path: Path) -> None:
    step = 2**21
    head = raw.gguf([raw.array("a", raw.STRING, 2**20, b"")], alignment=1)
    path = sparse(tmp_path / "far.gguf", head, 2**40)
    with path.open("r+b") as file:
        for number in range(1000):
            file.seek(len(head) + number * (step + 8))
            file.write(raw.u64(step))
    with computing_at_most(2), pytest.raises(InvalidGGUF, match="larger header"):
        read_header(path)


def test_what_llama_cpp_would_map_after_the_last_tensor_has_an_end(tmp_path: Path) -> None:
    honest = raw.model()
    assert read_header(sparse(tmp_path / "padded.gguf", honest, 2**20)).tensors
    with pytest.raises(InvalidGGUF, match="too long: it has 1099511627776 bytes"):
        read_header(sparse(tmp_path / "long.gguf", honest, 2**40))


@pytest.mark.parametrize(
    "metadata",
    [
        [raw.entry("k" * 60_000, 99, b"")],
        [raw.array("\x1b[2J" * 10_000, raw.ARRAY, 1, b"")],
        [raw.array("k" * 60_000, raw.STRING, 2**40, b"")],
        [raw.string("k" * 60_000, ""), raw.string("k" * 60_000, "")],
        [raw.string("general.alignment", "a" * 1_000_000)],
    ],
)
def test_a_reason_is_short_and_printable_whatever_the_keys(
    metadata: list[bytes], tmp_path: Path
) -> None:
    path = raw.put(tmp_path / "m.gguf", raw.gguf(metadata))
    with pytest.raises(InvalidGGUF) as caught:
        read_header(path)
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()
