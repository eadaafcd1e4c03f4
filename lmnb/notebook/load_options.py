"""How a model is loaded: `%lms load`'s flags. Together they reach every field of the load route."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmnb.notebook.options import Option, between, count, option

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")


def gpu(text: str) -> str | int | float:
    """`auto`, `off`, `max`, a share of the layers (0.5), or a number of them (12)."""
    if text in ("auto", "off", "max"):
        return text
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not auto, off, max, a share or a number") from None
    if value < 0 or ("." in text and value > 1):
        raise ArgumentTypeError(f"{text} is not a share from 0.0 to 1.0 or a number of layers")
    return value if "." in text else int(value)


def shares(text: str) -> list[float]:
    """Numbers between commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a list of numbers like 3,1") from None


def adapter(text: str) -> dict[str, Any]:
    """A LoRA file, and after a colon how strongly to apply it."""
    path, colon, scale = text.rpartition(":")
    try:
        more = {"scale": float(scale)} if colon else {}
    except ValueError:  # a colon of the path, as in C:\\...
        more = {}
    # The server has a working directory of its own.
    return {"path": str(Path(path if more else text).expanduser().absolute()), **more}


def file(text: str) -> str:
    """A file; nothing stays nothing."""
    return str(Path(text).expanduser().absolute()) if text else ""


def _switch(flag: str, help: str, **more: Any) -> Any:
    return option(flag, action=BooleanOptionalAction, help=help, **more)


MODEL_OPTIONS = (
    option(
        "-c", "--context-length", type=count, metavar="N", help="tokens one conversation may hold"
    ),
    option("--gpu", type=gpu, metavar="auto|off|max|0..1|N", help="layers on the GPU"),
    option(
        "--parallel",
        dest="slots",
        type=count,
        metavar="N",
        help="requests computed at the same time",
    ),
    _switch("--kv-unified", "the requests share one KV cache"),
    option("--batch-size", type=count, metavar="N", help="most tokens in one call of llama.cpp"),
    option("--micro-batch-size", type=count, metavar="N", help="most tokens in one graph"),
    option("--threads", type=count, metavar="N", help="most threads a step may use"),
    _switch("--adaptive-threads", "give threads up while something else computes"),
    option("--tensor-split", type=shares, metavar="3,1", help="shares of the GPUs"),
    option("--main-gpu", type=between(0, 1024, int), metavar="N", help="the GPU for small tensors"),
    _switch("--flash-attention", "fused attention"),
    _switch("--offload-kv-cache", "keep the KV cache on the GPU"),
    option("--cache-type-k", choices=CACHE_TYPES, help="type of the cached keys"),
    option("--cache-type-v", choices=CACHE_TYPES, help="type of the cached values"),
    _switch("--swa-full", "keep the whole sliding-window cache"),
    _switch("--mmap", "map the file instead of reading it"),
    _switch("--mlock", "never swap the model out"),
    option(
        "--num-experts",
        type=count,
        metavar="N",
        help="experts asked for each token, if it has experts",
    ),
    option("--rope-freq-base", type=float, metavar="X", help="RoPE base frequency"),
    option("--rope-freq-scale", type=float, metavar="X", help="RoPE frequency factor"),
    option(
        "--lora", type=adapter, action="append", metavar="FILE[:SCALE]", help="apply a LoRA adapter"
    ),
    option(
        "--host-cache-mib",
        type=between(0, 2**31, int),
        metavar="MIB",
        help="memory for conversations that left the KV cache",
    ),
    option(
        "--queue-limit", type=between(0, 2**31, int), metavar="N", help="requests that may wait"
    ),
    option(
        "--projector",
        type=file,
        metavar="FILE",
        help="the mmproj file it sees with; '' for none (default: its own, if it has one)",
    ),
    _switch("--embeddings", "load it for embeddings"),
)
"""How a model is loaded. `dest` of each is the field's name on the load route."""

LOAD_OPTIONS = (
    option("--ttl", type=count, metavar="SECONDS", help="unload after so long without a request"),
    option("--identifier", metavar="NAME", help="the name to use it by"),
    option(
        "--new-instance",
        action="store_true",
        default=None,
        help="a further one, even if it is loaded like this",
    ),
    *MODEL_OPTIONS,
)
"""The same, and what concerns one load only."""


def given(
    arguments: argparse.Namespace, options: Sequence[Option] = LOAD_OPTIONS
) -> dict[str, Any]:
    """Those of `options` that were on the line, as the load route takes them."""
    names = {
        each.settings.get("dest") or each.flags[-1].lstrip("-").replace("-", "_")
        for each in options
    }
    return {
        name: value
        for name, value in vars(arguments).items()
        if name in names and value is not None
    }
