"""Headers are read as llama.cpp reads them, and refused for its reasons."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import pytest

from lmnb.models.gguf.header import Array, InvalidGGUF, read_header
from lmnb.models.gguf.quants import FILE_TYPES, TENSOR_TYPES
from tests.models import raw


def test_a_real_header_reads_as_the_reference_reader_reads_it(smollm2: Path) -> None:
    header = read_header(smollm2)
    reference = gguf.GGUFReader(smollm2)
    assert header.data_offset == reference.data_offset
    assert [(t.name, t.shape, t.type, t.size) for t in header.tensors] == [
        (t.name, tuple(map(int, t.shape)), t.tensor_type, t.n_bytes) for t in reference.tensors
    ]
    own = {key: value for key, value in reference.fields.items() if not key.startswith("GGUF.")}
    assert header.metadata.keys() == own.keys()
    for key, value in header.metadata.items():
        if isinstance(value, Array):
            assert value.count == len(own[key].data), key
        else:
            assert value == own[key].contents(), key


def test_the_large_header_of_gemma_reads_quickly(gemma: Path) -> None:
    header = read_header(gemma)
    assert header.metadata["tokenizer.ggml.tokens"] == Array(262144)
    assert header.tensor_bytes == 246587904


def test_tensor_and_file_types_are_the_ones_of_the_gguf_package() -> None:
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        if kind.name == "Q8_1":
            continue  # 0.19 of the package has it wrong (40); it is never in files
        assert TENSOR_TYPES[kind] == (kind.name, block, size)
    for kind in gguf.LlamaFileType:
        if kind.name != "GUESSED":
            assert FILE_TYPES[kind] == kind.name.removeprefix("MOSTLY_").removeprefix(
                "ALL_"
            ).removesuffix("_MOE")


def test_values_of_every_type_are_read(tmp_path: Path) -> None:
    path = tmp_path / "all.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -1)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -2)
    writer.add_int32("i32", -3)
    writer.add_uint64("u64", 2**64 - 1)
    writer.add_int64("i64", -4)
    writer.add_float32("f32", 0.5)
    writer.add_float64("f64", 0.1)
    writer.add_bool("bool", True)
    writer.add_string("text", "größer 🙂")
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("words", ["a", "", "c"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    expected = {
        "general.architecture": "llama",
        "u8": 255,
        "i8": -1,
        "u16": 65535,
        "i16": -2,
        "i32": -3,
        "u64": 2**64 - 1,
        "i64": -4,
        "f32": 0.5,
        "f64": 0.1,
        "bool": True,
        "text": "größer 🙂",
        "numbers": Array(3, (1, 2, 3)),
        "words": Array(3),
    }
    assert read_header(path).metadata == expected


def test_version_2_is_read(tmp_path: Path) -> None:
    path = raw.put(tmp_path / "v2.gguf", raw.gguf([raw.number("a", 1)], version=2))
    assert read_header(path).version == 2


LIES = {
    "an empty file": (b"", "ends within"),
    "another format": (b"PK\x03\x04" + bytes(100), "not a GGUF file"),
    "version 1": (raw.gguf(version=1), "version 1"),
    "a version to come": (raw.gguf(version=4), "version 4"),
    "big-endian": (b"GGUF" + bytes([0, 0, 0, 3]) + bytes(64), "big-endian"),
    "too many tensors": (raw.gguf(counts=(2**40, 0)), "tensors"),
    "too many entries": (raw.gguf(counts=(0, 2**40)), "metadata"),
    "fewer entries than claimed": (raw.gguf([raw.number("a", 1)], counts=(0, 3)), "ends|empty"),
    "an endless key": (raw.gguf([raw.text("k", 2**63)]), "a key of"),
    "an empty key": (raw.gguf([raw.number("", 1)]), "empty or given twice"),
    "a key twice": (raw.gguf([raw.number("a", 1), raw.number("a", 2)]), "given twice"),
    "an endless value": (raw.gguf([raw.entry("a", 8, raw.text("x", 2**62))]), "ends within"),
    "an unknown type": (raw.gguf([raw.entry("a", 13, bytes(8))]), "unknown type"),
    "arrays in arrays": (
        raw.gguf([raw.array("a", raw.ARRAY, 1, raw.u32(raw.ARRAY) * 64)]),
        "do not nest",
    ),
    "an endless array": (raw.gguf([raw.array("a", raw.U8, 2**63, b"")]), "more than the file"),
    "endless strings": (raw.gguf([raw.array("a", raw.STRING, 2**60, b"")]), "more than can be"),
    "a string beyond the end": (
        raw.gguf([raw.array("a", raw.STRING, 2, raw.u64(2**63) + raw.u64(0))]),
        "beyond the end",
    ),
    "an odd alignment": (raw.gguf([raw.number("general.alignment", 24)]), "power of two"),
    "a zero alignment": (raw.gguf([raw.number("general.alignment", 0)]), "power of two"),
    "an alignment in words": (raw.gguf([raw.string("general.alignment", "32")]), "power of two"),
    "a long tensor name": (raw.gguf([], [raw.tensor("x" * 64, (1,))], data=4), "tensor name"),
    "too many dimensions": (raw.gguf([], [raw.tensor("x", (1,) * 5)], data=4), "5 dimensions"),
    "an impossible shape": (
        raw.gguf([], [raw.tensor("x", (2**32, 2**32))], data=4),
        "impossibly large",
    ),
    "an unknown tensor type": (raw.gguf([], [raw.tensor("x", (1,), 31)], data=4), "unknown type"),
    "a broken row": (raw.gguf([], [raw.tensor("x", (33,), 2)], data=64), "no multiple of 32"),
    "a tensor twice": (
        raw.gguf([], [raw.tensor("x", (8,)), raw.tensor("x", (8,), offset=32)], data=64),
        "given twice",
    ),
    "overlapping tensors": (
        raw.gguf([], [raw.tensor("x", (16,)), raw.tensor("y", (16,), offset=32)], data=128),
        "not at 64",
    ),
    "a hole between tensors": (
        raw.gguf([], [raw.tensor("x", (8,)), raw.tensor("y", (8,), offset=64)], data=128),
        "not at 32",
    ),
    "an incomplete download": (
        raw.gguf([], [raw.tensor("x", (1000,))], data=3999),
        "cut short",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_llama_cpp_would_refuse_is_refused_with_a_reason(lie: str, tmp_path: Path) -> None:
    content, reason = LIES[lie]
    path = raw.put(tmp_path / "model.gguf", content)
    with pytest.raises(InvalidGGUF, match=reason) as caught:
        read_header(path)
    assert caught.value.code == "invalid_gguf"
    assert caught.value.message.startswith("model.gguf: ")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(InvalidGGUF, match="not a regular file"):
        read_header(tmp_path / "pipe.gguf")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidGGUF, match="cannot be read: No such file"):
        read_header(tmp_path / "none.gguf")
