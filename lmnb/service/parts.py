"""Files that are loaded with a model: what each is to be is read from its header first, since
llama.cpp opens whatever it is given and may wait for it for ever."""

from __future__ import annotations

from pathlib import Path

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.gguf.header import InvalidGGUF
from lmnb.models.gguf.info import Kind, read_model_info

__all__ = ["check_parts"]


def check_parts(options: LoadOptions) -> None:
    """Raises InvalidRequest for a LoRA adapter or a projector that is none. Blocks."""
    for adapter in options.lora:
        _check(adapter.path, "adapter", "LoRA adapter", "lora")
    if options.projector:
        _check(options.projector, "projector", "projector", "projector")


def _check(path: str, wanted: Kind, what: str, param: str) -> None:
    try:
        kind = read_model_info(Path(path)).kind
    except (InvalidGGUF, ValueError) as error:
        raise InvalidRequest(f"{path!r} is no {what}: {error}", param=param) from None
    if kind != wanted:
        raise InvalidRequest(f"{path!r} is no {what}, but of the kind '{kind}'.", param=param)
