"""The process of an engine: started, with pipes to it."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["interpreter", "pipe_ends", "spawn"]

_ENVIRONMENT = {
    # ggml starts a debugger for a backtrace when it aborts, which takes seconds.
    "GGML_NO_BACKTRACE": "1",
    "PYTHONUNBUFFERED": "1",
}


def spawn() -> subprocess.Popen[bytes]:
    python, environment = interpreter()
    return subprocess.Popen(
        [python, "-m", "lmnb.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **_ENVIRONMENT, **environment},
        start_new_session=os.name == "posix",
    )


def pipe_ends(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Of the pipes from it and to it: descriptors that nothing else closes."""
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, process.stdin:
        return os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())


def interpreter(platform: str = sys.platform) -> tuple[str, dict[str, str]]:
    """What to start, and what it has to find in its environment, so that the process that is started
    is the one that computes. On Windows the `python.exe` of a virtual environment starts another:
    its number, and its memory, would be those of a door (`multiprocessing` goes the same way)."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    if platform == "win32" and base != sys.executable:
        return base, {"__PYVENV_LAUNCHER__": sys.executable}
    return sys.executable, {}
