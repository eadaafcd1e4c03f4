"""Real servers, as users start them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60


@dataclass
class Server:
    """A child process that said where it listens."""

    process: subprocess.Popen[str]
    url: str = ""
    """Ends in a slash; `v1` and the others are below it."""
    output: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "".join(self.output)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Returns the exit status; a negative one names the signal that ended it."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def wait_for(self, text: str) -> None:
        """Until it has said that."""
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """No settings, keys, models or runtime files of the user who runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not re.match("LMNB_|JUPYTER|JPY_|HF_", k)}
    folders = {
        f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("DATA", "RUNTIME", "CONFIG")
    }
    return {**kept, **folders, "HF_HUB_CACHE": str(folder / "hf"), **more}


@contextmanager
def spawn(command: list[str], env: Mapping[str, str], ready: str) -> Iterator[Server]:
    """`ready` is a pattern whose first group is the server's URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server, found = Server(process), threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                server.output.append(line)
                match = re.search(ready, line)
                if match and not server.url:
                    server.url = match[1]
                    found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        found.wait(START_SECONDS)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(15)


@contextmanager
def lmnb_serve(folder: Path, *options: str, **env: str) -> Iterator[Server]:
    command = ["lmnb", "serve", "--port", "0", *options]
    ready = r"^lmnb is ready at (http://\S+?/)v1$"
    with spawn(command, environment(folder, **env), ready) as server:
        yield server


@contextmanager
def jupyter_server(folder: Path, *options: str, **env: str) -> Iterator[Server]:
    """With lmnb below it; `url` is lmnb's."""
    command = [
        "jupyter_server",
        "--ServerApp.jpserver_extensions=lmnb=True",
        "--no-browser",
        "--allow-root",
        "--port=0",
        "--ServerApp.base_url=/base/",
        f"--ServerApp.root_dir={folder}",
        *options,
    ]
    ready = r"(http://127.0.0.1:\d+/base/)"
    with spawn(command, environment(folder, **env), ready) as server:
        server.url += "lmnb/"
        deadline = time.monotonic() + START_SECONDS
        while not list(folder.glob("runtime/lmnb-*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield server
