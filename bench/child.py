"""Processes that this benchmark starts, and always ends again."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.memory import PROC, descendants

STOP_SECONDS = 10.0
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """In the child, Linux only: be terminated when this benchmark is killed without a word."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _born(pid: int) -> str | None:
    """When a process started: with its id, its identity. None: it is gone, or a zombie."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class Child:
    """One process in a POSIX session of its own, as Jupyter starts kernels; output to a file."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] = {}) -> None:
        with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log", delete=False) as output:
            self.log = Path(output.name)
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if _LIBC is not None else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log_end(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> list[int]:
        """End it and all it started. Returns those that it should have ended itself and had not."""
        family = {pid: _born(pid) for pid in descendants([self.pid])} if PROC.exists() else {}
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        family.pop(self.pid, None)

        def orphans() -> list[int]:
            return [pid for pid, born in family.items() if born and _born(pid) == born]

        deadline = time.monotonic() + STOP_SECONDS / 2
        while orphans() and time.monotonic() < deadline:
            time.sleep(0.05)
        left = orphans()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.log.unlink(missing_ok=True)
        return left
