"""The servers that are compared: how each is started on the same GGUF, and where it answers.

All get the same file, threads and context, and are otherwise left at their defaults.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from bench import loop_lag
from bench.child import Child
from bench.client import HttpError, Target, get_json, post_json, request

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 90.0


class StartError(Exception):
    """The server did not come up. The message ends with its log."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What every server is started with."""

    model: Path
    threads: int = 2
    slots: int = 16
    context: int = 16384
    """Tokens of all slots together."""
    llama_server: str | None = None
    """Path of the llama-server binary. None: the one on PATH."""
    lmnb_options: Mapping[str, Any] = field(default_factory=dict)
    """Load options for lmnb beyond context, slots and threads."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server(ABC):
    """`async with Server(setup) as server:` starts it, loads the model, and ends it."""

    name: ClassVar[str]
    prefix: ClassVar[str] = ""
    """Where the server's own root is: `/v1` follows it."""
    health: ClassVar[str] = "/health"

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.port = free_port()
        self.key = secrets.token_hex(16)
        self.model = setup.model.name
        self.leftovers: list[int] = []
        self._child: Child | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return {}

    async def load(self) -> None:
        """Load the model, where starting the server does not."""
        return

    async def python_and_step_seconds(self) -> tuple[float, float] | None:
        """Time in the engine's own Python, and in all its steps. Only lmnb says."""
        return None

    async def start_loop_lag(self) -> bool:
        """False: this server has no loop that can be measured from inside."""
        return False

    async def loop_lag_ms(self) -> Mapping[str, float]:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self.port}{self.prefix}/v1", self.model, self.key)

    async def __aenter__(self) -> Self:
        self._child = Child(self.command(), environment=self.environment())
        try:
            await self._ready(self._child)
            await self.load()
        except BaseException as error:
            log = self._child.log_end()
            await self.__aexit__()
            if isinstance(error, StartError | HttpError | OSError | TimeoutError):
                raise StartError(f"{self.name}: {error}\n{log}") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            self.leftovers = self._child.stop()
            self._child = None

    async def _ready(self, child: Child) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if not child.running:
                raise StartError("it ended while starting")
            try:
                status, _, body = await request(self.target, "GET", self.prefix + self.health)
                async for _ in body:
                    pass
                if status == 200:
                    return
                if status == 404:
                    raise StartError(f"it runs, but has no {self.prefix}{self.health}")
            except (OSError, EOFError):
                pass
            await asyncio.sleep(0.1)
        raise StartError(f"not ready after {START_SECONDS:g} s")


class LlamaServer(Server):
    """llama.cpp's own server."""

    name = "llama-server"

    def command(self) -> list[str]:
        binary = self.setup.llama_server or shutil.which("llama-server")
        if binary is None:
            raise StartError("llama-server is not on PATH; give --llama-server PATH")
        setup = self.setup
        return [
            *(binary, "-m", str(setup.model), "-t", str(setup.threads)),
            *("-c", str(setup.context), "-np", str(setup.slots)),
            *("--host", "127.0.0.1", "--port", str(self.port), "--api-key", self.key),
        ]


class LlamaCppPython(Server):
    """llama-cpp-python's server: one request at a time.

    `interrupt_requests` is off, or each request would end the one before it. The context is that
    of one request, as it has one slot. It sends no usage in streams and knows no `ignore_eos`.
    """

    name = "llama-cpp-python"
    health = "/v1/models"

    def command(self) -> list[str]:
        setup = self.setup
        return [
            *(sys.executable, "-m", "llama_cpp.server", "--model", str(setup.model)),
            *("--n_threads", str(setup.threads), "--n_threads_batch", str(setup.threads)),
            *("--host", "127.0.0.1", "--port", str(self.port), "--api_key", self.key),
            *("--interrupt_requests", "False"),
        ]


class Lmnb(Server):
    """lmnb in a real `jupyter server` that has no other extension (and the loop's meter)."""

    name = "lmnb"
    prefix = "/lmnb"
    options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._home = tempfile.TemporaryDirectory(prefix="bench-jupyter-")

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            f"--ServerApp.root_dir={self._home.name}",
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"),
            *("--ServerApp.port_retries=0", f"--IdentityProvider.token={self.key}"),
            "--ServerApp.jpserver_extensions={'lmnb': True, 'bench.loop_lag': True}",
        ]

    def environment(self) -> dict[str, str]:
        path = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        return {
            "PYTHONPATH": os.pathsep.join(part for part in path if part),
            "LMNB_MODEL_PATH": str(self.setup.model),
            "JUPYTER_NO_CONFIG": "1",
            "JUPYTER_CONFIG_DIR": f"{self._home.name}/config",
            "JUPYTER_DATA_DIR": f"{self._home.name}/data",
            "JUPYTER_RUNTIME_DIR": f"{self._home.name}/runtime",
        }

    async def load(self) -> None:
        setup = self.setup
        # As llama-server with -np: the slots divide the context, unless told to share it.
        shared = bool(setup.lmnb_options.get("kv_unified", False))
        body = {
            "model": str(setup.model),
            "context_length": setup.context if shared else setup.context // setup.slots,
            "kv_unified": shared,
            "slots": setup.slots,
            "threads": setup.threads,
            **self.options,
            **setup.lmnb_options,
        }
        answer = await post_json(self.target, f"{self.prefix}/api/v1/models/load", body)
        self.model = answer["instance_id"]

    async def python_and_step_seconds(self) -> tuple[float, float] | None:
        status = await get_json(self.target, f"{self.prefix}/api/v1/status")
        for loaded in status["loaded"]:
            engine = loaded.get("engine") or {}
            if "python_seconds" in engine:
                return float(engine["python_seconds"]), float(engine["step_seconds"])
        return None

    async def start_loop_lag(self) -> bool:
        await post_json(self.target, f"/{loop_lag.PATH}", {})
        return True

    async def loop_lag_ms(self) -> Mapping[str, float]:
        figures: Mapping[str, float] = await get_json(self.target, f"/{loop_lag.PATH}")
        return figures

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        self._home.cleanup()


class LmnbFixed(Lmnb):
    """lmnb that keeps all its threads, whatever else the machine does: what adapting costs."""

    name = "lmnb-fixed"
    options: ClassVar[Mapping[str, Any]] = {"adaptive_threads": False}


class LmnbServe(Lmnb):
    """`lmnb serve`: no notebook server around it."""

    name = "lmnb-serve"
    prefix = ""

    def command(self) -> list[str]:
        return [
            *(str(Path(sys.executable).with_name("lmnb")), "serve", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--api-key", self.key),
            *("--models", str(self.setup.model)),
        ]

    async def start_loop_lag(self) -> bool:
        return False


SERVERS: dict[str, type[Server]] = {
    kind.name: kind for kind in (Lmnb, LmnbFixed, LmnbServe, LlamaServer, LlamaCppPython)
}
