"""Real kernels, talking to a stub of the server or to a real one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

sys.path.insert(0, str(Path(__file__).parent))

from lmnb_stub import KEY, StubServer

ROOT = Path(__file__).resolve().parents[2]
ISOLATED = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "JPY_PARENT_PID", "JUPYTERHUB_SERVICE_URL")


@dataclass
class Ran:
    """What a cell left behind."""

    status: str
    outputs: list[dict[str, Any]] = field(default_factory=list)

    def text(self, kind: str = "text/plain") -> str:
        """Displayed data, as it stands at the end."""
        return "\n".join(o["data"][kind] for o in self.outputs if kind in o.get("data", {}))

    def stream(self, name: str = "stdout") -> str:
        return "".join(o["text"] for o in self.outputs if o.get("name") == name)


class Kernel:
    """A kernel whose `%lms` is loaded."""

    def __init__(self, environ: dict[str, str]) -> None:
        env = {k: v for k, v in os.environ.items() if k not in ISOLATED} | environ
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=env)

    def run(self, code: str, *, interrupt_at: str = "", timeout: float = 60) -> Ran:
        """Run a cell; interrupt the kernel when `interrupt_at` has shown up in its output."""
        ran, shown = Ran(""), dict[str, dict[str, Any]]()
        interrupting = bool(interrupt_at)

        def hook(message: dict[str, Any]) -> None:
            nonlocal interrupting
            content, kind = message["content"], message["msg_type"]
            if kind == "update_display_data":
                shown[content["transient"]["display_id"]]["data"] = content["data"]
            elif kind in ("display_data", "execute_result", "stream", "error"):
                output = dict(content, output_type=kind)
                ran.outputs.append(output)
                if display_id := content.get("transient", {}).get("display_id"):
                    shown[display_id] = output
            if interrupting and interrupt_at in str(content.get("data", content.get("text", ""))):
                interrupting = False
                self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(code, output_hook=hook, timeout=timeout)
        ran.status = reply["content"]["status"]
        return ran

    def value(self, expression: str) -> Any:
        """The value of an expression there, through its repr."""
        return eval(self.run(f"print(repr({expression}))").stream())

    def complete(self, code: str) -> list[str]:
        reply = self.client.complete(code, len(code), reply=True, timeout=30)
        return reply["content"]["matches"]

    def inspect(self, code: str) -> str:
        reply = self.client.inspect(code, len(code), reply=True, timeout=30)
        return reply["content"]["data"]["text/plain"]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def stub_server() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


@pytest.fixture
def stub(stub_server: StubServer) -> StubServer:
    stub_server.reset()
    return stub_server


@pytest.fixture(scope="module")
def shared_kernel(stub_server: StubServer) -> Iterator[Kernel]:
    kernel = Kernel({"LMNB_BASE_URL": stub_server.base_url, "LMNB_API_KEY": KEY})
    assert kernel.run("%load_ext lmnb").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel: Kernel, stub: StubServer) -> Kernel:
    """A kernel with a fresh conversation and no variables of earlier tests."""
    shared_kernel.run(
        "%lms reset\n%config LMSMagics.model = ''\n%reset_selective -f ^(?!lmnb$)[a-z]"
    )
    return shared_kernel
