"""lmnb in a notebook server: settings, routes, start and stop."""

from __future__ import annotations

import asyncio
import atexit
import os
from datetime import UTC, datetime
from typing import Any, get_args

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import Bool, Dict, DottedObjectName, Enum, Float, Int, List, Unicode, default
from traitlets.utils.importstring import import_item

from lmnb._version import __version__
from lmnb.api.routes import mount
from lmnb.api.services import SETTING, Activity, Services
from lmnb.errors import LmnbError
from lmnb.models.memory.fit import GUARDRAILS, Guardrail
from lmnb.server.build import build_services
from lmnb.server.defaults import MOST_DOWNLOADS, default_guardrail, downloads_at_once, load_options
from lmnb.server.environment import MOST_PORT, number
from lmnb.server.forwarding import SCHEMA_FILE, Forwarding
from lmnb.server.jit import JitLoading
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.notebook import KEYS_SETTING, NotebookHandler
from lmnb.server.outside import Outside
from lmnb.server.runtime import RuntimeFile
from lmnb.server.second import SecondListener
from lmnb.service.mcp.servers import McpMode

__all__ = ["LMNBApp", "main"]

STOP_SECONDS = 3.0
"""Jupyter waits for an extension without a limit of its own."""


class LMNBApp(ExtensionApp):
    """Run, chat with and serve local language models."""

    name = "lmnb"
    app_name = "lmnb"
    description = "Run, chat with and serve local language models."
    extension_url = "/"
    load_other_extensions = True

    model_path = List(
        Unicode(), help="GGUF files, or folders of them, besides the usual places."
    ).tag(config=True)
    read_from = List(
        Unicode(), help="Programs whose models are used in place: lmstudio, ollama, llama.cpp."
    ).tag(config=True)
    jit_loading = Bool(help="Load a model when a request first names it.").tag(config=True)
    jit_ttl = Float(
        min=0,
        help="Seconds after which such a model goes, if nobody uses it. 0: it stays.",
    ).tag(config=True)
    auto_evict = Bool(help="Such a model goes when another is loaded, if nobody uses it.").tag(
        config=True
    )
    guardrail = Enum(
        GUARDRAILS,
        help="How much memory loads leave alone: strict 20 %, balanced 10 %, relaxed nothing; off: "
        "nothing is refused.",
    ).tag(config=True)
    context_length = Int(
        None,
        allow_none=True,
        help="Tokens one conversation may hold, unless a load says otherwise.",
    ).tag(config=True)
    slots = Int(None, allow_none=True, help="Requests that a model computes at the same time.").tag(
        config=True
    )
    threads = Int(None, allow_none=True, help="Most threads a model may use.").tag(config=True)
    gpu = Unicode(
        None, allow_none=True, help="Layers on the GPU: auto, off, max, a share or a number."
    ).tag(config=True)
    load_options = Dict(
        help="Any other option of a load, by its name: batch_size, cache_type_k, mlock, ..."
    ).tag(config=True)
    port = Int(
        None,
        allow_none=True,
        min=0,
        max=MOST_PORT,
        help="Listen on this port of this machine too, with LM Studio's addresses (1234 is its own).",
    ).tag(config=True)
    cors = Bool(help="Pages of other origins may use that port, if they have a key.").tag(
        config=True
    )
    require_key = Bool(help="On that port, ask this user's own processes for a key too.").tag(
        config=True
    )
    log_prompts = Bool(help="Remember prompts and answers in the log that can be followed.").tag(
        config=True
    )
    mcp = Enum(
        get_args(McpMode),
        help="Which MCP servers answers may call: none, those in mcp.json, or any that a request names.",
    ).tag(config=True)
    remote_images = Bool(help="Fetch pictures that requests give the address of.").tag(config=True)
    allowed_hosts = List(
        Unicode(),
        help="The only hosts that may be reached for a request (MCP servers, remote images), even "
        "private ones. None: every public one.",
    ).tag(config=True)
    downloads = Int(
        help="Models that are fetched at the same time; others wait.", min=1, max=MOST_DOWNLOADS
    ).tag(config=True)
    api_key = Unicode(
        help="A key that opens lmnb's routes besides Jupyter's own. Made up unless it is set."
    ).tag(config=True)
    engine_factory = DottedObjectName(
        "lmnb.engine.process.start_engine",
        help="What turns a model file into an engine: an async function (path, options, progress).",
    ).tag(config=True)

    _built = False

    @default("jit_loading")
    def _jit_loading_default(self) -> bool:
        return JitLoading.of().enabled

    @default("jit_ttl")
    def _jit_ttl_default(self) -> float:
        return JitLoading.of().ttl

    @default("auto_evict")
    def _auto_evict_default(self) -> bool:
        return JitLoading.of().auto_evict

    @default("guardrail")
    def _guardrail_default(self) -> Guardrail:
        return default_guardrail()

    @default("port")
    def _port_default(self) -> int | None:
        return number(os.environ, "LMNB_PORT")

    @default("mcp")
    def _mcp_default(self) -> McpMode:
        return Outside.of().mcp

    @default("remote_images")
    def _remote_images_default(self) -> bool:
        return Outside.of().remote_images

    @default("allowed_hosts")
    def _allowed_hosts_default(self) -> list[str]:
        return [*Outside.of().allowed_hosts]

    @default("downloads")
    def _downloads_default(self) -> int:
        return downloads_at_once()

    @default("api_key")
    def _api_key_default(self) -> str:
        return os.environ.get("LMNB_API_KEY", "")

    def initialize(self) -> None:  # type: ignore[override]  # as ExtensionApp has it
        """A setting that makes no sense is one line in the log, and no reason to go without the
        notebooks."""
        try:
            super().initialize()
        except LmnbError as error:
            if getattr(self.serverapp, "reraise_server_extension_failures", False):
                raise
            self.log.error("This server goes without lmnb: %s", error.message)

    def initialize_settings(self) -> None:
        """Build the services. Nothing is loaded, started or scanned yet."""
        given = {
            name: getattr(self, name) for name in ("context_length", "slots", "threads", "gpu")
        }
        self.services: Services = build_services(
            model_path=self.model_path,
            read_from=self.read_from,
            factory=import_item(self.engine_factory),
            defaults=load_options({**self.load_options, **given}),
            jit=JitLoading(self.jit_loading, self.jit_ttl, self.auto_evict),
            activity=Activity(self._stamp),
            log_prompts=self.log_prompts,
            outside=Outside(self.mcp, tuple(self.allowed_hosts), self.remote_images),
            guardrail=self.guardrail,
            downloads=self.downloads,
        )
        self.key = ServerKey(self.api_key or None)
        self.runtime_file = RuntimeFile()
        self.settings[SETTING] = self.services
        keys = KeyRing(self.key, self.services.keys)
        self.listener = SecondListener(self.services, keys)
        self.services.listener = self.listener
        self.settings[KEYS_SETTING] = keys
        assert self.serverapp is not None
        events = self.serverapp.event_logger
        assert events is not None
        events.register_event_schema(SCHEMA_FILE)
        self.forwarding = Forwarding(self.services.notices, events.emit)
        self._built = True

    def initialize_handlers(self) -> None:
        """Every route of lmnb, below `lmnb/`."""
        self.handlers.extend(mount(NotebookHandler, "/lmnb"))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        if not self._built:
            return
        self.forwarding.start()
        url = url_path_join(serverapp.connection_url, "lmnb") + "/"
        self.runtime_file.write(url, self.key.value)
        # Without a terminal, Jupyter ends on SIGINT without stopping its extensions.
        atexit.register(self.runtime_file.remove)

        await self.services.start()
        if self.port is not None:
            await self._listen(self.port)

    async def _listen(self, port: int) -> None:
        """A port that cannot be had is no reason to go without the notebooks."""
        try:
            state = await self.listener.start(
                port=port, cors=self.cors, require_key=self.require_key
            )
            self.log.info("lmnb also listens at %s", state.base_url)
        except LmnbError as error:
            self.log.warning("lmnb does not listen on a port of its own: %s", error.message)

    async def stop_extension(self) -> None:
        """Unload everything. May be called twice; the engines end with this process anyway."""
        if not self._built:
            return  # it did not get that far
        self.runtime_file.remove()
        atexit.unregister(self.runtime_file.remove)
        try:
            await asyncio.wait_for(self.services.close(), STOP_SECONDS)
        except TimeoutError:
            self.log.warning("Some models took too long to unload.")

    def current_activity(self) -> Any:
        """Truthy only while something computes: a loaded model alone keeps no server awake."""
        return (self._built and self.services.activity.running) or None

    def _stamp(self) -> None:
        """Say that the server is in use, where Jupyter's and JupyterHub's cullers look."""
        assert self.serverapp is not None
        times = self.serverapp.web_app.settings["last_activity_times"]
        times["lmnb"] = datetime.now(UTC)


LMNBApp.version = __version__
main = LMNBApp.launch_instance
