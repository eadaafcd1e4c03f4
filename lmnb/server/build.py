"""From settings to services: the same for both hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lmnb.api.services import Activity, Services
from lmnb.engine import EngineFactory
from lmnb.engine.options import LoadOptions
from lmnb.models.memory.fit import Guardrail
from lmnb.models.store.roots import own_folder
from lmnb.models.store.store import ModelStore, default_roots
from lmnb.server.jit import JitLoading
from lmnb.server.outside import Outside
from lmnb.service.database import Database
from lmnb.service.downloads.downloads import DOWNLOADS
from lmnb.service.estimates import Estimates
from lmnb.service.generations import Generations
from lmnb.service.images import ImageSource
from lmnb.service.log import Log
from lmnb.service.manager import ModelManager
from lmnb.service.mcp.servers import McpServers
from lmnb.service.outbound import Outbound
from lmnb.service.settings import Settings

__all__ = ["build_services"]

SWITCH_SECONDS = 0.001
"""How long the event loop waits for a thread that computes in Python; its default is five times as long."""


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
