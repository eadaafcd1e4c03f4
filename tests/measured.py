"""What llama.cpp says it allocated for a load."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import llama_cpp

from lmnb.engine.log import EngineLog
from lmnb.engine.opening import open_runner
from lmnb.engine.options import LoadOptions
from lmnb.models.memory.weights import repacked_types

_BUFFER = re.compile(r"(model|output|KV|RS|compute) buffer size = +([\d.]+) MiB")
_PARTS = {
    "model": "weights",
    "KV": "cache",
    "RS": "cache",
    "compute": "compute",
    "output": "compute",
}


def measure(path: Path, options: LoadOptions) -> dict[str, float]:
    """MiB of `weights`, `cache` and `compute`, from llama.cpp's own log. A real load."""
    log = EngineLog(keep=100_000)
    log.install()
    open_runner(str(path), options, log).close()
    found: dict[str, float] = defaultdict(float)
    for _, line in log.lines:
        if match := _BUFFER.search(line):
            found[_PARTS[match[1]]] += float(match[2])
    return dict(found)


def repacked() -> frozenset[str]:
    """The types of weights that llama.cpp repacks on this processor."""
    info = llama_cpp.llama_print_system_info().decode()
    return repacked_types(re.findall(r"(\w+) = 1", info))
