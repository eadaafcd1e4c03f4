"""What is loaded with a model is looked at before anything opens it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lmnb.engine.options import LoadOptions, LoraAdapter
from lmnb.errors import InvalidRequest
from lmnb.service.parts import check_parts
from tests.models import raw


def lora(path: Path) -> LoadOptions:
    return LoadOptions(lora=(LoraAdapter(path=str(path)),))


def projector(path: Path) -> LoadOptions:
    return LoadOptions(projector=str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="it has no FIFOs")
@pytest.mark.parametrize("asked", [lora, projector])
def test_what_is_none_is_refused(asked: Callable[[Path], LoadOptions], tmp_path: Path) -> None:
    """A FIFO that nobody writes to would block its reader for ever, and all loads behind it."""
    fifo = tmp_path / "fifo.gguf"
    os.mkfifo(fifo)
    text = tmp_path / "text.gguf"
    text.write_text("root:x:0:0")
    model = raw.put(tmp_path / "model.gguf", raw.model())
    for path in (fifo, text, model, tmp_path / "none", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(InvalidRequest, match="is no") as caught:
            check_parts(asked(path))
        assert caught.value.param in ("lora", "projector")


def test_what_is_one_is_let_through(tmp_path: Path) -> None:
    adapter = raw.model(metadata=[raw.string("general.type", "adapter")])
    check_parts(lora(raw.put(tmp_path / "adapter.gguf", adapter)))
    check_parts(projector(raw.put(tmp_path / "mmproj.gguf", raw.model(name="clip"))))
    check_parts(LoadOptions(projector=""))


@pytest.mark.parametrize(
    "metadata",
    [
        [raw.number("clip.vision.preproc_image_size", 65_535)],
        [raw.number("clip.vision.image_min_pixels", 2**31)],
        [
            raw.number("clip.vision.image_size", 448),
            raw.number("clip.vision.preproc_max_tiles", 999),
        ],
        [raw.number("clip.vision.block_count", 10**7)],
        [raw.array("clip.vision.image_grid_pinpoints", 4, 2, raw.u32(9) + raw.u32(2**20))],
        [raw.array("clip.vision.image_grid_pinpoints", 4, 5000, raw.u32(2**20) * 5000)],
    ],
)
def test_a_projector_that_takes_memory_without_end_is_refused(
    metadata: list[bytes], tmp_path: Path
) -> None:
    path = raw.put(tmp_path / "mmproj.gguf", raw.model(name="clip", metadata=metadata))
    with pytest.raises(
        InvalidRequest, match=r"pixels of a picture|claims 10000000 layers|lists 2500 sizes"
    ) as caught:
        check_parts(projector(path))
    assert caught.value.param == "projector"
