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


def check_parts(options: LoadOptions) -> None:
    """Raises InvalidRequest for a LoRA adapter or a projector that is none. Blocks."""
    for adapter in options.lora:
        _check(adapter.path, "adapter", "LoRA adapter", "lora")
    if options.projector:
        pixels = _pixels(_check(options.projector, "projector", "projector", "projector"))
        if pixels > MAX_PIXELS:
            raise InvalidRequest(
                f"{options.projector!r} would make {pixels} pixels of a picture; at most "
                f"{MAX_PIXELS} can be.",
                param="projector",
            )


def _check(path: str, wanted: Kind, what: str, param: str) -> Header:
    try:
        header = read_header(Path(path))
        kind = model_info([header]).kind
    except (InvalidGGUF, ValueError) as error:
        raise InvalidRequest(f"{path!r} is no {what}: {error}", param=param) from None
    if kind != wanted:
        raise InvalidRequest(f"{path!r} is no {what}, but of the kind '{kind}'.", param=param)
    return header


def _pixels(projector: Header) -> int:
    """To how many it may blow up a picture, however small that is. Source of the keys: llama.cpp
    `tools/mtmd/clip-impl.h`."""

    def number(name: str) -> int:
        value = projector.metadata.get(f"clip.vision.{name}")
        values = value.values if isinstance(value, Array) else (value,)
        return max((one for one in values if isinstance(one, int)), default=0)

    return max(
        number("image_size") ** 2 * max(1, number("preproc_max_tiles")),
        number("preproc_image_size") ** 2,
        number("image_grid_pinpoints") ** 2,
        number("image_min_pixels"),
    )
