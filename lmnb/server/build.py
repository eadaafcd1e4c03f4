"""From settings to services: the same for both hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import msgspec

from lmnb.api.services import Activity, Services
from lmnb.engine import EngineFactory
from lmnb.engine.limits import check_load
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.memory.fit import GUARDRAILS, Guardrail
from lmnb.models.store.roots import own_folder
from lmnb.models.store.store import ModelStore, default_roots
from lmnb.server.environment import switch
from lmnb.server.jit import JitLoading
from lmnb.service.database import Database
from lmnb.service.downloads.downloads import DOWNLOADS
from lmnb.service.estimates import Estimates
from lmnb.service.generations import Generations
from lmnb.service.guardrail import guardrail_named
from lmnb.service.images import ImageSource
from lmnb.service.log import Log
from lmnb.service.manager import ModelManager
from lmnb.service.mcp.servers import McpMode, McpServers
from lmnb.service.outbound import Outbound
from lmnb.service.settings import Settings

__all__ = [
    "DOWNLOADS",
    "Outside",
    "build_services",
    "default_guardrail",
    "downloads_at_once",
    "load_options",
]

SWITCH_SECONDS = 0.001
"""How long the event loop waits for a thread that computes in Python; its default is five times as long."""

MOST_DOWNLOADS = 32


@dataclass(frozen=True, slots=True)
class Outside:
    """What requests may make this server reach."""

    mcp: McpMode = "off"
    allowed_hosts: tuple[str, ...] = ()
    remote_images: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Outside:
        """`LMNB_MCP`, `LMNB_ALLOWED_HOSTS` with commas, `LMNB_REMOTE_IMAGES`. Raises
        InvalidRequest."""
        mode = environ.get("LMNB_MCP", "").strip().lower() or "off"
        if mode not in get_args(McpMode):
            raise InvalidRequest(
                f"LMNB_MCP is one of {', '.join(get_args(McpMode))}, not {mode!r}."
            )
        hosts = environ.get("LMNB_ALLOWED_HOSTS", "").split(",")
        images = switch(environ, "LMNB_REMOTE_IMAGES", default=False)
        allowed = tuple(host.strip() for host in hosts if host.strip())
        return cls(cast(McpMode, mode), allowed, images)


def default_guardrail(environ: Mapping[str, str] = os.environ) -> Guardrail:
    """`LMNB_GUARDRAIL`. Raises InvalidRequest."""
    name = environ.get("LMNB_GUARDRAIL", "").strip() or None
    if name is not None and name not in GUARDRAILS:
        raise InvalidRequest(f"LMNB_GUARDRAIL is one of {', '.join(GUARDRAILS)}, not {name!r}.")
    return guardrail_named(name, "balanced")


def downloads_at_once(environ: Mapping[str, str] = os.environ) -> int:
    """`LMNB_DOWNLOADS`. Raises InvalidRequest."""
    text = environ.get("LMNB_DOWNLOADS", "").strip() or str(DOWNLOADS)
    if not text.isdigit() or not 1 <= int(text) <= MOST_DOWNLOADS:
        raise InvalidRequest(f"LMNB_DOWNLOADS must be a whole number from 1 to {MOST_DOWNLOADS}")
    return int(text)


def load_options(
    settings: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> LoadOptions:
    """How models are loaded unless a caller says otherwise: `settings`, then `LMNB_SLOTS` and the
    like. Text is read as JSON where it is JSON. Raises InvalidRequest."""
    names = LoadOptions.__struct_fields__
    given: dict[str, Any] = {name: environ.get(f"LMNB_{name.upper()}") or None for name in names}
    given |= {name: value for name, value in settings.items() if value is not None}
    values = {name: _value(value) for name, value in given.items() if value is not None}
    try:
        options = msgspec.convert(values, LoadOptions)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).partition(" - at ")
        name = place.strip("`$.").partition("[")[0]
        raise InvalidRequest(
            f"The load option '{name}' (LMNB_{name.upper()} in the environment) is wrong: {wrong}."
        ) from None
    check_load(options)
    return options


def _value(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def build_services(
    *,
    model_path: Sequence[str],
    read_from: Sequence[str] = (),
    factory: EngineFactory,
    defaults: LoadOptions,
    jit: JitLoading,
    activity: Activity,
    log_prompts: bool = False,
    outside: Outside | None = None,
    guardrail: Guardrail = "balanced",
    downloads: int = DOWNLOADS,
) -> Services:
    sys.setswitchinterval(SWITCH_SECONDS)
    store = ModelStore(
        default_roots(model_path, read_from=read_from),
        import_dir=own_folder(),
        facts=own_folder().with_name("headers.msgpack"),
    )
    database = Database()
    estimates = Estimates(guardrail=guardrail)
    manager = ModelManager(
        store,
        factory,
        settings=Settings(database),
        guard=estimates,
        defaults=defaults,
        jit=jit.enabled,
        jit_ttl=jit.ttl or None,
        auto_evict=jit.auto_evict,
    )

    def identifier(pid: int) -> str | None:
        return next((one.id for one in manager.loaded() if one.engine.pid == pid), None)

    outside = outside or Outside()
    outbound = Outbound(outside.allowed_hosts)
    log = Log(keep_content=log_prompts, model_of=identifier)
    log.listen_to_engines()
    return Services(
        store=store,
        database=database,
        manager=manager,
        generations=Generations(manager, log, ImageSource(outbound, remote=outside.remote_images)),
        estimates=estimates,
        mcp=McpServers(outside.mcp, outbound),
        activity=activity,
        downloads_at_once=downloads,
    )
