"""Files that are loaded with a model: what each is to be is read from its header first, since
llama.cpp opens whatever it is given and may wait for it for ever."""

from __future__ import annotations

from pathlib import Path

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.gguf.header import Array, Header, InvalidGGUF, read_header
from lmnb.models.gguf.info import Kind, model_info

__all__ = ["check_parts"]

MAX_PIXELS = 1 << 25
"""mtmd takes some 15 bytes for each. The largest known projectors make 16 million of a picture."""
MAX_LAYERS = 512
MAX_PINPOINTS = 1024
"""Numbers, two for each size that a picture may be cut to. Known lists have a few dozen."""


def check_parts(options: LoadOptions) -> None:
    """Raises InvalidRequest for a LoRA adapter or a projector that is none. Blocks."""
    for adapter in options.lora:
        _check(adapter.path, "adapter", "LoRA adapter", "lora")
    if options.projector:
        header = _check(options.projector, "projector", "projector", "projector")
        if complaint := _complaint(header):
            message = f"{options.projector!r} is not loaded: {complaint}."
            raise InvalidRequest(message, param="projector")


def _check(path: str, wanted: Kind, what: str, param: str) -> Header:
    try:
        header = read_header(Path(path))
        kind = model_info([header]).kind
    except (InvalidGGUF, ValueError) as error:
        raise InvalidRequest(f"{path!r} is no {what}: {error}", param=param) from None
    if kind != wanted:
        raise InvalidRequest(f"{path!r} is no {what}, but of the kind '{kind}'.", param=param)
    return header


def _complaint(projector: Header) -> str:
    """Why it would take memory without end, which mtmd does not ask; empty: it would not. Source of
    the keys: llama.cpp `tools/mtmd/clip-impl.h`."""

    def number(name: str) -> int:
        value = projector.metadata.get(f"clip.{name}")
        values = value.values if isinstance(value, Array) else (value,)
        return max((one for one in values if isinstance(one, int)), default=0)

    pixels = max(
        number("vision.image_size") ** 2 * max(1, number("vision.preproc_max_tiles")),
        number("vision.preproc_image_size") ** 2,
        number("vision.image_grid_pinpoints") ** 2,
        number("vision.image_min_pixels"),
    )
    if pixels > MAX_PIXELS:
        return f"it would make {pixels} pixels of a picture; at most {MAX_PIXELS} can be"
    pinpoints = projector.metadata.get("clip.vision.image_grid_pinpoints")
    if isinstance(pinpoints, Array) and pinpoints.count > MAX_PINPOINTS:
        return f"it lists {pinpoints.count // 2} sizes of pictures"
    layers = max(number("vision.block_count"), number("audio.block_count"))
    return f"it claims {layers} layers" if layers > MAX_LAYERS else ""
