"""The engine process: reads commands, steps the scheduler, writes events.

Run as `python -m lmnb.engine.worker`. One thread owns llama.cpp; another only reads the pipe.
When the pipe ends, the parent is gone, however it went: the process ends at once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lmnb.engine import protocol
from lmnb.errors import LmnbError

if TYPE_CHECKING:
    from lmnb.engine.opening import AnyRunner


LONG = 1 << 18
"""Characters of a text that take a tenth of a second and more to read."""


class Worker:
    """Serves one model over two pipes."""

    def __init__(self, commands: int, messages: int) -> None:
        self._out, self._writing = messages, threading.Lock()
        self._inbox: queue.SimpleQueue[protocol.Command | protocol.Answer | None] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._read, args=(commands,), daemon=True).start()
        threading.Thread(target=self._watch, args=(os.getppid(),), daemon=True).start()

    def run(self) -> None:
        self._write(protocol.Hello(protocol.VERSION))
        from lmnb.engine.log import EngineLog  # llama.cpp loads here, after the greeting
        from lmnb.engine.opening import open_runner

        log = EngineLog()
        log.install()
        command = self._inbox.get()
        if not isinstance(command, protocol.Load):
            return
        try:
            runner = open_runner(
                command.path, command.options, log, self._progress(), lambda: self._inbox.put(None)
            )
        except LmnbError as error:
            self._write(protocol.LoadError(error.message))
            return
        except Exception as error:
            self._write(
                protocol.LoadError(f"{type(error).__name__}: {error}. {log.errors()}".strip())
            )
            return
        self._write(protocol.Loaded(runner.facts))
        self._serve(runner)

    def _serve(self, runner: AnyRunner) -> None:
        while True:
            while not runner.busy or runner.waits or not self._inbox.empty():
                match self._inbox.get():
                    case None:  # the runner wants to be looked at
                        pass
                    case protocol.Answer() as answer:
                        self._write(answer)
                    case protocol.Tokenize(_, text) as command if len(text) > LONG:
                        self._answer_later(runner, command)
                    case command:
                        self._write(self._answer(runner, command))
            self._write(protocol.Events(runner.step()))

    def _answer_later(self, runner: AnyRunner, command: protocol.Tokenize) -> None:
        """From a thread: nobody's tokens wait for a book to be read."""

        def answer() -> None:
            self._inbox.put(self._tokens(runner, command))

        threading.Thread(target=answer, daemon=True).start()

    def _tokens(self, runner: AnyRunner, command: protocol.Tokenize) -> protocol.Answer:
        vocab = runner.model.vocab
        try:
            if command.plain or (command.parse_special and not command.add_special):
                ids = vocab.tokenize_around(command.text, command.plain)
            else:
                ids = vocab.tokenize(
                    command.text,
                    add_special=command.add_special,
                    parse_special=command.parse_special,
                )
        except LmnbError as error:
            return protocol.Answer(command.call, error=error.message)
        return protocol.Answer(command.call, tokens=ids)

    def _answer(self, runner: AnyRunner, command: protocol.Command) -> protocol.Message:
        match command:
            case protocol.Submit(id, request):
                return protocol.Events(runner.submit(id, request))
            case protocol.Embed(id, embed):
                return protocol.Events(runner.embed(id, embed))
            case protocol.Rerank(id, rerank):
                return protocol.Events(runner.rerank(id, rerank))
            case protocol.Cancel(id):
                return protocol.Events(runner.cancel(id))
            case protocol.Tokenize():
                return self._tokens(runner, command)
            case protocol.Count(call, request):
                try:
                    return protocol.Answer(call, count=runner.count(request))
                except LmnbError as error:
                    return protocol.Answer(call, error=error.message, kind=type(error).__name__)
            case protocol.Detokenize(call, tokens):
                render = runner.model.vocab.render
                return protocol.Answer(
                    call, pieces=[render(token, special=True) for token in tokens]
                )
            case protocol.GetStatus(call):
                return protocol.Answer(call, status=runner.status())
        raise ValueError(f"unexpected command {command!r}")

    def _progress(self) -> Callable[[float], bool]:
        last = [0.0]

        def report(value: float) -> bool:
            now = time.monotonic()
            if now - last[0] > 0.05 or value >= 1:
                last[0] = now
                self._write(protocol.Loading(value))
            return True

        return report

    def _write(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Events) and not message.events:
            return
        try:
            with self._writing:
                protocol.write(self._out, message)
        except OSError:  # the parent is gone: EPIPE, and on Windows EINVAL
            os._exit(0)

    def _read(self, commands: int) -> None:
        reader = protocol.FrameReader(protocol.decode_command)
        while data := os.read(commands, 1 << 16):
            for command in reader.feed(data):
                self._inbox.put(command)
        os._exit(0)

    def _watch(self, parent: int) -> None:
        """Where another process holds a copy of our pipe, its end never comes."""
        while os.getppid() == parent:
            time.sleep(protocol.BEAT_SECONDS)
            if not self._writing.locked():
                self._write(protocol.Alive())
        os._exit(0)


def main() -> None:
    # Ctrl-C in a terminal reaches the whole process group; ending is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _offer_to_the_oom_killer()
    messages = os.dup(1)
    os.dup2(2, 1)  # whatever native code prints goes to the log, not into the protocol
    sys.stdout = sys.stderr
    commands = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    Worker(commands, messages).run()
    sys.stderr.flush()
    os._exit(0)  # no destructors: the system takes the memory back faster


def _offer_to_the_oom_killer() -> None:
    """When memory runs out on Linux, let the engine go and keep the notebooks."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("900")


if __name__ == "__main__":
    main()
