"""The server: `server start`, `stop` and `status`, `status`, `version`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from lmnb._version import __version__
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import UNKNOWN, JsonDict, Table, duration, size
from lmnb.notebook.options import between, option
from lmnb.notebook.verbs.loading import show_loaded
from lmnb.notebook.verbs.verb import JSON, Verb

CORS_WARNING = (
    "CORS is on: pages of other web sites may use this server, if they have an API key. "
    "`{program} key create` makes one."
)


def start(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Open the port of LM Studio's API."""
    body = {"port": arguments.port, "cors": arguments.cors, "require_key": arguments.require_key}
    state = client.json("POST", "api/v1/server/start", body)
    if arguments.json:
        return JsonDict(state)
    screen.say(f"Success! Server is now running on port {state['port']}: {state['base_url']}v1")
    screen.say(_who(state, screen.program))
    return None


def _who(state: dict[str, Any], program: str) -> str:
    who = (
        "Everybody needs an API key there"
        if state["key_required"]
        else ("Your own processes need no API key there, all others do")
    )
    said = f"{who}; `{program} key create NAME` makes one."
    return f"{said} {CORS_WARNING.format(program=program)}" if state["cors"] else said


def stop(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Close it. Raises InvalidRequest where it is not open."""
    client.json("POST", "api/v1/server/stop")
    screen.say("The server was stopped.")


def server_status(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Where the server is. Raises ServerNotFound when it does not answer."""
    state = client.json("GET", "api/v1/server")
    connection = client.connection
    if arguments.json:
        return JsonDict({**state, "lmnb_url": connection.openai_base_url})
    screen.write(f"lmnb runs. OpenAI base URL: {connection.openai_base_url}")
    if state.get("running"):
        screen.write(f"The server is running on port {state['port']}: {state['base_url']}v1")
        screen.say(_who(state, screen.program))
    else:
        why = f" {state['error']}" if state.get("error") else ""
        start = f"`{screen.program} server start` opens LM Studio's port 1234."
        screen.write(f"The server is not running.{why} {start}")
    return None


def status(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """The server, its models and its machine."""
    facts, listener = client.status(), client.json("GET", "api/v1/server")
    if arguments.json:
        return JsonDict({**facts, "server": listener})
    machine = facts.get("machine", {})
    total, free = machine.get("memory_total_bytes"), machine.get("memory_available_bytes")
    gpus = ", ".join(gpu["name"] for gpu in machine.get("gpus") or ())
    port = listener.get("base_url") or f"off (`{screen.program} server start` opens it)"
    rows = [
        ["server", f"lmnb {facts.get('version', '?')}, up {duration(facts.get('uptime_seconds'))}"],
        ["OpenAI base URL", client.connection.openai_base_url],
        ["found by", client.connection.origin],
        ["LM Studio's port", port],
        ["memory", f"{size(free)} of {size(total)} free"],
        ["processors", str(machine.get("cpu_count") or UNKNOWN)],
        ["GPUs", gpus or "none"],
    ]
    screen.show(Table(("LMNB", ""), rows))
    show_loaded(screen, facts.get("loaded", []))
    return None


def version(client: None, screen: Screen, arguments: Namespace) -> Any:
    """Which lmnb this is. The server's own is in `status`."""
    if arguments.json:
        return JsonDict(version=__version__)
    screen.write(f"lmnb {__version__}")
    return None


VERBS = (
    Verb(
        "server start",
        "Open a port with LM Studio's API, on this machine.",
        (
            option(
                "-p",
                "--port",
                type=between(0, 65535, int),
                default=1234,
                metavar="N",
                help="0 takes any that is free (default: 1234)",
            ),
            option("--cors", action="store_true", help="answer other web sites that have a key"),
            option("--require-key", action="store_true", help="ask your own processes too"),
            JSON,
        ),
        start,
    ),
    Verb("server stop", "Close that port.", (), stop),
    Verb("server status", "Say where the server is.", (JSON,), server_status),
    Verb("status", "The server, its models and its machine.", (JSON,), status),
    Verb("version", "Say which version this is.", (JSON,), version, offline=True),
)
