"""llama.cpp's log: kept, so that a failed load says what llama.cpp said."""

from __future__ import annotations

import ctypes
import sys
from collections import deque

import llama_cpp as lib

_WARNING = 3
_ERROR = 4
_CONTINUED = 5
_installed: list[object] = []
"""What llama.cpp may call as long as this process lives."""


class EngineLog:
    """The last lines of llama.cpp's log, also written to standard error.

    llama_cpp maps ggml's levels wrongly (it hides errors), so its callback is replaced.
    """

    def __init__(self, keep: int = 400) -> None:
        self.lines: deque[tuple[int, str]] = deque(maxlen=keep)
        self._level = 1
        self._partial = ""
        self._callback = lib.llama_log_callback(self._receive)

    def install(self) -> None:
        _installed.append(self._callback)
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def install_mtmd(self) -> None:
        """For the library that reads pictures, which is loaded when it is needed."""
        from llama_cpp import mtmd_cpp

        _installed.append(self._callback)
        mtmd_cpp.mtmd_helper_log_set(self._callback, ctypes.c_void_p(0))

    def errors(self) -> str:
        """The error lines so far, newest last; the last lines of all when there are none."""
        lines = list(self.lines)
        found = [text for level, text in lines if level == _ERROR]
        return "; ".join(dict.fromkeys(found or [text for _, text in lines[-3:]]))

    def _receive(self, level: int, text: bytes, _: ctypes.c_void_p) -> None:
        if level != _CONTINUED:
            self._level = level
        self._partial += text.decode("utf-8", "replace")
        while "\n" in self._partial:
            line, self._partial = self._partial.split("\n", 1)
            if line.strip():
                self.lines.append((self._level, line.strip()))
                if self._level >= _WARNING:
                    print(line, file=sys.stderr, flush=True)
