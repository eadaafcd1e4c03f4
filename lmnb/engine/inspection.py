"""Grammars are read by a process of their own first: some that look harmless take all memory there is.

llguidance limits what it computes for each token, but not what it computes to read a schema: thirty
patterns that must hold together take a minute and seven gigabytes. That cannot be stopped in a thread;
a process can be, and its end is a reason to refuse. It also takes the stack overflows.

Run as `python -m lmnb.engine.inspection`: a length and a grammar in, a length and what is wrong with it
(or nothing) out.
"""

from __future__ import annotations

import contextlib
import signal
import struct
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLParserLimits

SECONDS, PROCESSOR_SECONDS = 5.0, 2.0
"""For one grammar: by the clock, and computed. The worst honest one known computes for half a second;
others wait while one is read."""
BYTES = 1 << 30
STACK_BYTES = 256 << 20
"""Reserved, not used: up to 10 KB for each step from a rule to the next."""

_LENGTH = struct.Struct(">I")


def limits() -> LLParserLimits:
    """llguidance's defaults, but for the memory that a lexer's states may take: 100 MB."""
    from llguidance import LLParserLimits

    return LLParserLimits(max_lexer_states=50_000, verbose_errors=False)


class Inspector:
    """The parent's side. Starts the process when there is something to inspect; not thread-safe."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def complaint(self, grammar: str) -> str:
        """What is wrong with the grammar, in llguidance's words; empty if nothing is."""
        process = self._process = self._process or _spawn()
        assert process.stdin is not None and process.stdout is not None
        deadline = threading.Timer(SECONDS, process.kill)
        deadline.start()
        try:
            _write(process.stdin, grammar)
            answer = _read(process.stdout)
        except OSError:
            answer = None
        finally:
            deadline.cancel()
        if answer is None:
            self.close()
            return "reading it takes more time or memory than a grammar may"
        return answer


def _spawn() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lmnb.engine.inspection"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _write(stream: IO[bytes], text: str) -> None:
    data = text.encode("utf-8", "replace")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _read(stream: IO[bytes]) -> str | None:
    """None at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data.decode() if len(data) == length else None


def main() -> None:
    """The process: ends with its parent's pipe. Windows and macOS limit its time only."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=_serve)
    thread.start()
    thread.join()


def _serve() -> None:
    from llguidance import LLMatcher

    while (grammar := _read(sys.stdin.buffer)) is not None:
        _alarm(SECONDS + 1, PROCESSOR_SECONDS)  # should the parent, which has a clock, be gone
        failed, messages = LLMatcher.validate_grammar_with_warnings(grammar, limits=limits())
        _alarm(0, 0)
        _write(sys.stdout.buffer, messages[0] if failed else "")


def _alarm(seconds: float, computed: float) -> None:
    """End this process after so long, or when it has computed for so long. 0: do not. Not on Windows."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.setitimer(signal.ITIMER_PROF, computed)


if __name__ == "__main__":
    main()
