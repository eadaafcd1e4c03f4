"""The devices that llama.cpp can compute on, asked in a process of its own: looking at a GPU can take
memory on it, and a broken driver can take the process with it.

Run as `python -m lmnb.engine.devices`: one JSON object on standard output.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import msgspec

__all__ = ["Devices", "Gpu", "ask_devices"]

SECONDS = 60.0
"""A GPU's driver may take long to start."""
log = logging.getLogger("lmnb.runtime")
_kept: list[object] = []
"""What llama.cpp may call as long as this process lives."""


class Gpu(msgspec.Struct, frozen=True):
    """Memory in bytes. `shared`: it uses the processor's."""

    name: str
    description: str
    total: int
    free: int
    shared: bool


class Devices(msgspec.Struct, frozen=True):
    """`features`: of the processor, as llama.cpp names them (`AVX2`, `REPACK`). `reason`: why there
    are no GPUs, where there are none."""

    gpus: tuple[Gpu, ...] = ()
    features: tuple[str, ...] = ()
    reason: str = ""


def ask_devices() -> Devices:
    """Blocks for a second or so. Never fails: what cannot be found out is a reason."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lmnb.engine.devices"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Devices)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        log.warning("llama.cpp did not say which devices there are: %s", error)
        return Devices(reason=f"llama.cpp did not say which devices there are: {error}")


def _look() -> Devices:
    import ctypes

    import llama_cpp
    from llama_cpp._ggml import libggml

    _kept.append(llama_cpp.llama_log_callback(lambda *_: None))
    llama_cpp.llama_log_set(_kept[-1], ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    features = re.findall(r"(\w+) = 1", llama_cpp.llama_print_system_info().decode())
    if not llama_cpp.llama_supports_gpu_offload():
        return Devices((), tuple(features), "llama.cpp was built without support for GPUs.")
    gpus = tuple(gpu for gpu in _devices(libggml) if gpu is not None)
    return Devices(gpus, tuple(features), "" if gpus else "llama.cpp finds no GPU.")


def _devices(libggml: object) -> list[Gpu | None]:
    """Every device of ggml that is a GPU."""
    import ctypes
    from typing import Any

    ggml: Any = libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = (ctypes.c_size_t,)
    for name, result in (("name", ctypes.c_char_p), ("description", ctypes.c_char_p)):
        function = getattr(ggml, f"ggml_backend_dev_{name}")
        function.restype, function.argtypes = result, (ctypes.c_void_p,)
    ggml.ggml_backend_dev_type.argtypes = (ctypes.c_void_p,)
    size_pointer = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_memory.argtypes = (ctypes.c_void_p, size_pointer, size_pointer)

    def gpu(device: int) -> Gpu | None:
        kind = ggml.ggml_backend_dev_type(device)
        if kind not in (_GPU, _INTEGRATED):
            return None
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name = ggml.ggml_backend_dev_name(device).decode()
        return Gpu(
            name=name,
            description=ggml.ggml_backend_dev_description(device).decode(),
            total=total.value,
            free=free.value,
            # Apple's GPUs have no memory of their own; what Metal says is what it may use at most.
            shared=kind == _INTEGRATED or name.startswith(("Metal", "MTL")),
        )

    return [gpu(ggml.ggml_backend_dev_get(i)) for i in range(ggml.ggml_backend_dev_count())]


_GPU, _INTEGRATED = 1, 2
"""`enum ggml_backend_dev_type`."""

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_look()))
