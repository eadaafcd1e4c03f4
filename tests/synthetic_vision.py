"""Tiny projectors with random weights, through which the models of `synthetic` see, and pictures.

| name      | for       | a picture is                                                     |
|-----------|-----------|------------------------------------------------------------------|
| `mlp`     | `llama`   | 16 tokens, each seen by those after it (LLaVA)                   |
| `gemma3`  | `gemma3`  | 16 tokens that see each other                                    |
| `qwen2vl` | `qwen2vl` | as many tokens as its size asks for, at positions in rows        |
| `idefics3`| `smolvlm` | cut into tiles, each with tokens around it that say which it is  |

`smolvlm` is the tiny `llama` with the tokens that such a projector puts around tiles.
"""

from __future__ import annotations

import struct
import unittest.mock
import zlib
from pathlib import Path

import gguf
import numpy as np

from tests.synthetic import CONTROL, WIDTH, write_model

SIZE, PATCH = 32, 8
INNER, FORWARD, HEADS, LAYERS = 32, 64, 2, 2
PROJECTORS = {
    "llama": "mlp",
    "gemma3": "gemma3",
    "qwen2vl": "qwen2vl_merger",
    "smolvlm": "idefics3",
}
MARKS = ("\n\n", "<fake_token_around_image>", "<global-img>", "<row_1_col_1>", "<row_1_col_2>")


def write_seeing_model(path: Path, architecture: str) -> Path:
    """The text model for the projector of that name."""
    if architecture != "smolvlm":
        return write_model(path, architecture)
    with unittest.mock.patch("tests.synthetic.CONTROL", (*CONTROL, *MARKS)):
        return write_model(path, "llama")


def write_projector(path: Path, architecture: str, width: int = WIDTH) -> Path:
    """The projector (mmproj) for a model of that architecture, whose embeddings are so wide."""
    kind = PROJECTORS[architecture]
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_name(f"tiny {kind} projector")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.use_gelu", True)
    for key, number in (
        ("image_size", SIZE),
        ("patch_size", PATCH // 2 if kind == "gemma3" else PATCH),
        ("embedding_length", INNER),
        ("feed_forward_length", FORWARD),
        ("block_count", LAYERS),
        ("projection_dim", width),
        ("attention.head_count", HEADS),
    ):
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    _Tensors(writer, width).add(kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class _Tensors:
    """Shapes as numpy counts: the row length last."""

    def __init__(self, writer: gguf.GGUFWriter, width: int) -> None:
        self._writer, self._width = writer, width
        self._random = np.random.default_rng(11)

    def add(self, kind: str) -> None:
        patch = PATCH // 2 if kind == "gemma3" else PATCH
        self._linear("v.patch_embd", INNER, 3, patch, patch, bias=kind == "gemma3", spread=0.2)
        if kind == "qwen2vl_merger":
            self._random_tensor("v.patch_embd.weight.1", 0.2, INNER, 3, patch, patch)
        else:
            self._random_tensor("v.position_embd.weight", 0.5, (SIZE // patch) ** 2, INNER)
        for layer in range(LAYERS):
            self._layer(f"v.blk.{layer}")
        self._norm("v.post_ln")
        if kind == "mlp":
            self._linear("mm.0", self._width, INNER)
            self._linear("mm.2", self._width, self._width)
        elif kind == "gemma3":
            self._writer.add_uint32("clip.vision.projector.scale_factor", 2)
            self._random_tensor("mm.input_projection.weight", 1.5, INNER, self._width)
            self._tensor("mm.soft_emb_norm.weight", np.ones(INNER))
        elif kind == "idefics3":
            self._writer.add_uint32("clip.vision.projector.scale_factor", 2)
            self._writer.add_uint32("clip.vision.preproc_image_size", 2 * SIZE)
            self._random_tensor("mm.model.fc.weight", 0.3, self._width, INNER * 4)
        else:
            self._linear("mm.0", self._width, INNER * 4)
            self._linear("mm.2", self._width, self._width)

    def _layer(self, name: str) -> None:
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            self._linear(f"{name}.{part}", INNER, INNER)
        self._norm(f"{name}.ln1")
        self._norm(f"{name}.ln2")
        self._linear(f"{name}.ffn_up", FORWARD, INNER)
        self._linear(f"{name}.ffn_down", INNER, FORWARD)

    def _norm(self, name: str) -> None:
        self._tensor(f"{name}.weight", np.ones(INNER))
        self._tensor(f"{name}.bias", np.zeros(INNER))

    def _linear(self, name: str, *shape: int, bias: bool = True, spread: float = 0.3) -> None:
        self._random_tensor(f"{name}.weight", spread, *shape)
        if bias:
            self._tensor(f"{name}.bias", np.zeros(shape[0]))

    def _random_tensor(self, name: str, spread: float, *shape: int) -> None:
        self._tensor(name, self._random.normal(0, spread, shape))

    def _tensor(self, name: str, values: np.ndarray) -> None:
        self._writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))


def picture(seed: int, width: int = 32, height: int = 32) -> bytes:
    """A PNG of noise: another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width * 3), dtype=np.uint8)
    return png(width, height, b"".join(b"\0" + row.tobytes() for row in pixels))


def png(width: int, height: int, rows: bytes, *, depth: int = 8) -> bytes:
    """A PNG of RGB rows, each after its filter's byte; the rows may lie."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
