"""A call of llama.cpp that can be ended from outside."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import llama_cpp as lib

__all__ = ["AbortFlag"]


class AbortFlag:
    """Tells llama.cpp, from another thread, to abandon the call it is in.

    llama.cpp asks a C function after each of a thousand nodes of a graph; a Python function there
    would double a step's time. libc's `strlen` of a string that is empty or not is that function.
    """

    def __init__(self) -> None:
        libc = ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
        self._text = ctypes.create_string_buffer(2)
        self._function = ctypes.cast(libc.strlen, lib.ggml_abort_callback)

    def attach(self, context: Any) -> None:
        lib.llama_set_abort_callback(context, self._function, ctypes.addressof(self._text))

    def set(self) -> None:
        self._text[0] = b"!"

    def clear(self) -> None:
        self._text[0] = b"\0"
