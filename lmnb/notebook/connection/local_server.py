"""A `lmnb serve` of one's own, for Python that no notebook server started."""

from __future__ import annotations

import atexit
import os
import secrets
import subprocess
import sys
import threading
from queue import Empty, Queue
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from lmnb.errors import ServerNotFound
from lmnb.notebook.connection.address import Connection, is_healthy, root_of

START_SECONDS = 60


class LocalServer:
    """The child process. It ends with this one, however this one ends: see `tethered.py`."""

    def __init__(self, command: tuple[str, ...] = ("serve", "--port", "0")) -> None:
        key = f"sk-lmnb-{secrets.token_urlsafe(24)}"
        self._log = TemporaryFile("w+b")  # noqa: SIM115 - open as long as the process runs
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lmnb.notebook.connection.tethered", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "LMNB_API_KEY": key},
            text=True,
            encoding="utf-8",
            # Control-C in the terminal is for the cell, not for the server.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, name="lmnb-server-output", daemon=True).start()
        atexit.register(self.stop)
        self.connection = Connection(self._base_url(), key, "started here")

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server and its engines. Harmless when it has ended."""
        atexit.unregister(self.stop)
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()  # the tether
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def _base_url(self) -> str:
        """The first line on its standard output says it, when it is ready."""
        try:
            words = self._lines.get(timeout=START_SECONDS).split()
        except Empty:
            words = []
        url = next((word for word in words if urlsplit(word).scheme in ("http", "https")), "")
        if not url or not is_healthy(root_of(url)):
            said = self._last_words()
            self.stop()
            raise ServerNotFound(f"`lmnb serve` did not start: {said}")
        return root_of(url)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."
