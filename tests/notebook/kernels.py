"""A real kernel, driven as a front end drives one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[2]
ISOLATED = (
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
    "JPY_PARENT_PID",
    "JUPYTERHUB_SERVICE_URL",
    "VIRTUAL_ENV",  # IPython warns of one that is not its own
)


@dataclass
class Ran:
    """What a cell left behind."""

    status: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    """Every text that was displayed, also what was replaced."""
    questions: list[str] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)
    """What it asks of the front end, such as a new cell."""

    def text(self, kind: str = "text/plain") -> str:
        """Displayed data, as it stands at the end."""
        return "\n".join(o["data"][kind] for o in self.outputs if kind in o.get("data", {}))

    def stream(self, name: str = "stdout") -> str:
        return "".join(o["text"] for o in self.outputs if o.get("name") == name)


class Kernel:
    """A kernel, and how to interrupt and end it."""

    def __init__(
        self, client: BlockingKernelClient, interrupt: Callable[[], Any], end: Callable[[], Any]
    ) -> None:
        self.client, self._interrupt, self._end = client, interrupt, end

    @classmethod
    def local(cls, environ: dict[str, str]) -> Kernel:
        """One that no server started."""
        env = {k: v for k, v in os.environ.items() if k not in ISOLATED} | environ
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
        manager, client = start_new_kernel(kernel_name="python3", env=env)
        return cls(client, manager.interrupt_kernel, lambda: manager.shutdown_kernel(now=True))

    @classmethod
    def of_server(cls, url: str, token: str, runtime: Path) -> Kernel:
        """One that a notebook server started."""
        headers = {"Authorization": f"token {token}"}

        def ask(method: str, route: str) -> httpx.Response:
            answer = httpx.request(
                method, url + route, headers=headers, trust_env=False, timeout=30
            )
            return answer.raise_for_status()

        route = "api/kernels/" + ask("POST", "api/kernels").json()["id"]
        file = runtime / f"kernel-{route.rpartition('/')[2]}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        return cls(client, lambda: ask("POST", f"{route}/interrupt"), lambda: ask("DELETE", route))

    def run(
        self,
        code: str,
        *,
        interrupt_at: str = "",
        interrupt_once: Callable[[], object] = lambda: True,
        timeout: float = 60,
        answers: Sequence[str] = (),
    ) -> Ran:
        """Run a cell; interrupt the kernel when `interrupt_at` has shown up in its output, and
        `interrupt_once` holds.

        `answers` go to its questions; without any it may not ask, as in nbconvert.
        """
        ran, shown = Ran(""), dict[str, dict[str, Any]]()
        said = iter(answers)

        def answer(message: dict[str, Any]) -> None:
            ran.questions.append(message["content"]["prompt"])
            self.client.input(next(said))

        interrupting = bool(interrupt_at)

        def hook(message: dict[str, Any]) -> None:
            nonlocal interrupting
            content, kind = message["content"], message["msg_type"]
            ran.history.append(content.get("data", {}).get("text/plain", ""))
            if kind == "update_display_data":
                shown[content["transient"]["display_id"]]["data"] = content["data"]
            elif kind in ("display_data", "execute_result", "stream", "error"):
                output = dict(content, output_type=kind)
                ran.outputs.append(output)
                if display_id := content.get("transient", {}).get("display_id"):
                    shown[display_id] = output
            if interrupting and interrupt_at in str(content.get("data", content.get("text", ""))):
                interrupting = False
                while not interrupt_once():
                    time.sleep(0.01)
                self._interrupt()

        reply = self.client.execute_interactive(
            code,
            output_hook=hook,
            timeout=timeout,
            allow_stdin=bool(answers),
            stdin_hook=answer,
        )
        ran.payload = reply["content"].get("payload", [])
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
        self._end()
