"""The loaded models: `load`, `unload`, `ps`, `estimate`."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.notebook.cell.obtain import obtain
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.connection.wire import Loaded
from lmnb.notebook.display.screen import Screen, progressing
from lmnb.notebook.display.tables import UNKNOWN, JsonDict, JsonList, Table, duration, size
from lmnb.notebook.load_options import LOAD_OPTIONS, MODEL_OPTIONS, given
from lmnb.notebook.options import Option, UsageMistake, option
from lmnb.notebook.verbs.verb import JSON, Verb

FITS = {
    "full_gpu": "on the GPU as a whole",
    "partial_gpu": "partly on the GPU",
    "cpu": "in main memory",
    "too_large": "nowhere: it is too large",
}


def load(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Load a model, with a progress bar; one that is not here after a question and a download."""
    if arguments.estimate_only:
        return estimate(client, screen, arguments)
    if arguments.json or arguments.detailed:
        raise UsageMistake("--json and --detailed go with --estimate-only.")
    options = _asked(arguments, LOAD_OPTIONS)
    try:
        _load(client, screen, arguments.model, options)
    except ModelNotFound as missing:
        agrees = screen.person.agrees if screen.person.is_there else None
        name = obtain(client, arguments.model, missing, agrees, screen)
        _load(client, screen, name, options)
    return None


def _load(client: Client, screen: Screen, model: str, options: dict[str, Any]) -> None:
    began = time.monotonic()
    with progressing(screen, f"Loading {model}") as progress:
        answer = client.load(model, options, progress.move)
    seconds = answer.get("load_time_seconds") or time.monotonic() - began
    identifier = answer.get("instance_id") or model
    config = answer.get("load_config") or {}
    context, slots = config.get("context_length"), config.get("slots") or config.get("parallel")
    details = [f"context {context:,}" if context else "", f"{slots} parallel" if slots else ""]
    tail = ", ".join(detail for detail in details if detail)
    progress.done(f"{identifier} is loaded ({seconds:.1f} s{', ' + tail if tail else ''}).")


def _asked(arguments: Namespace, options: Sequence[Option]) -> dict[str, Any]:
    guardrail = {"guardrail": arguments.guardrail} if arguments.guardrail else {}
    return given(arguments, options) | guardrail


def estimate(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """What a load would take, and whether it would be allowed."""
    body = {"model": arguments.model, **_asked(arguments, MODEL_OPTIONS)}
    found = client.json("POST", "api/v1/models/estimate", body, timeout=PATIENT)
    if arguments.json:
        return JsonDict(found)
    guardrail = found.get("guardrail") or {}
    allowed = guardrail.get("allowed", True)
    verdict = "may be loaded based on" if allowed else "will fail to load based on"
    lines = [
        f"Model: {found['model']}",
        f"Context Length: {(found.get('load_config') or {}).get('context_length') or 0:,}",
        f"GPU Offload: {_offload(found)}",
        f"Estimated GPU Memory: {size(_required(found, 'gpu'))}",
        f"Estimated Total Memory: {size(found['total_bytes'])}",
        f"Fits: {FITS.get(found['fit'], found['fit'])}",
        f"Estimate: This model {verdict} your resource guardrails settings.",
    ]
    if guardrail.get("reason"):
        lines.append(str(guardrail["reason"]))
    screen.write("\n".join(lines))
    if arguments.detailed:
        screen.show(_devices(found))
        screen.write("\n".join(found.get("arithmetic") or ()))
    return None


def _offload(found: dict[str, Any]) -> str:
    layers = found.get("layers") or 0
    here = sum(d.get("layers") or 0 for d in found["devices"] if d["kind"] == "gpu")
    return f"{min(here, layers) / layers:.0%}" if layers else UNKNOWN


def _required(found: dict[str, Any], kind: str) -> int:
    return sum(d["total_required_bytes"] for d in found["devices"] if d["kind"] == kind)


def _devices(found: dict[str, Any]) -> Table:
    parts = ("weights", "kv_cache", "compute", "projector", "total_required")
    columns = ("DEVICE", "FREE", "WEIGHTS", "KV CACHE", "COMPUTE", "PROJECTOR", "TOTAL")
    rows = [
        [
            device["name"],
            size(device.get("free_bytes")),
            *(size(device.get(f"{part}_bytes") or 0) for part in parts),
        ]
        for device in found["devices"]
    ]
    return Table(columns, rows)


def unload(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Unload one model, the only one, or all."""
    loaded = [entry["identifier"] for entry in client.status().get("loaded", [])]
    for identifier in _to_unload(arguments, loaded, screen):
        client.unload(identifier, cancel_running=arguments.force)
        screen.say(f"{identifier} is unloaded.")
    if arguments.all and not loaded:
        screen.say("No models to unload.")


def _to_unload(arguments: Namespace, loaded: Sequence[str], screen: Screen) -> Sequence[str]:
    if arguments.all:
        return loaded
    if arguments.identifier:
        return [arguments.identifier]
    if not loaded:
        raise ModelNotFound("No model is loaded.")
    if len(loaded) > 1 and screen.person.is_there:
        screen.show(Table(("", "IDENTIFIER"), [[str(n), one] for n, one in enumerate(loaded, 1)]))
        number = screen.person.pick("Which one?", len(loaded))
        return [loaded[number - 1]] if number else []
    if len(loaded) > 1:
        raise InvalidRequest(f"Which one? Loaded: {', '.join(loaded)}. Or say --all.")
    return loaded


def ps(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """List the loaded models."""
    loaded = client.status().get("loaded", [])
    if arguments.json:
        return JsonList(loaded)
    show_loaded(screen, loaded)
    return None


def show_loaded(screen: Screen, loaded: Sequence[Loaded]) -> None:
    """A table of them; TTL where one has one."""
    if not loaded:
        screen.say(
            f"No model is loaded. `{screen.program} load NAME` loads one; so does asking it."
        )
        return
    columns = ["IDENTIFIER", "MODEL", "STATUS", "SIZE", "CONTEXT", "PARALLEL", "DEVICE", "MEMORY"]
    rows = [_row(entry) for entry in loaded]
    if any(times := [_time_left(entry) for entry in loaded]):
        columns.append("TTL")
        rows = [[*row, time_left] for row, time_left in zip(rows, times, strict=True)]
    screen.show(Table(columns, rows))


def _row(entry: Loaded) -> list[str]:
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
        "Local",
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


_MODEL = option("model", completes="model", help="a name from `ls`")
_GUARDRAIL = option(
    "--guardrail",
    choices=("strict", "balanced", "relaxed", "off"),
    help="how much memory must stay free",
)
_DETAILED = option("--detailed", action="store_true", help="each device, and the arithmetic")

VERBS = (
    Verb("ps", "List the loaded models.", (JSON,), ps),
    Verb(
        "load",
        "Load a model. What is not said, lmnb decides.",
        (
            _MODEL,
            *LOAD_OPTIONS,
            _GUARDRAIL,
            option("--estimate-only", action="store_true", help="say what it would take"),
            _DETAILED,
            JSON,
            option("-y", "--yes", action="store_true", help="never ask (it never does)"),
        ),
        load,
    ),
    Verb(
        "unload",
        "Unload a model and give its memory back.",
        (
            option("identifier", nargs="?", completes="loaded", help="a name from `ps`"),
            option("-a", "--all", action="store_true", help="every loaded model"),
            option(
                "-f", "--force", action="store_true", help="end its requests instead of waiting"
            ),
        ),
        unload,
    ),
    Verb(
        "estimate",
        "Say what memory a load would take.",
        (
            _MODEL,
            *MODEL_OPTIONS,
            _GUARDRAIL,
            _DETAILED,
            JSON,
        ),
        estimate,
    ),
)
