"""`lmnb serve`: the same routes without a notebook server around them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from tornado.netutil import bind_sockets

from lmnb.api.services import Activity
from lmnb.engine import EngineFactory
from lmnb.engine.options import LoadOptions
from lmnb.engine.process import start_engine
from lmnb.errors import InvalidRequest, LmnbError
from lmnb.models.memory.fit import GUARDRAILS, Guardrail
from lmnb.server.build import Outside, build_services, default_guardrail, load_options
from lmnb.server.environment import as_port, as_seconds
from lmnb.server.environment import port as port_said
from lmnb.server.gate import Gate
from lmnb.server.jit import JitLoading
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.listener import Listener
from lmnb.server.only import OnlyListener
from lmnb.server.peer import is_loopback
from lmnb.server.runtime import RuntimeFile
from lmnb.service.mcp.servers import McpMode

__all__ = ["ServeOptions", "main", "serve"]

log = logging.getLogger("lmnb.server")
STOP_SECONDS = 3.0
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What `lmnb serve` was asked for."""

    host: str = "127.0.0.1"
    port: int = 1234
    api_key: str | None = None
    require_key: bool = False
    no_auth: bool = False
    cors: bool = False
    log_prompts: bool = False
    outside: Outside = field(default_factory=Outside)
    models: tuple[str, ...] = ()
    read_from: tuple[str, ...] = ()
    load: tuple[str, ...] = ()
    jit: JitLoading = field(default_factory=JitLoading)
    guardrail: Guardrail = "balanced"
    load_options: LoadOptions = field(default_factory=LoadOptions)


def main(arguments: Sequence[str] | None = None, *, prog: str = "lmnb serve") -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s")
    try:
        options = _options(_parser(prog).parse_args(arguments))
        asyncio.run(serve(options))
    except LmnbError as error:
        print(f"lmnb: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def serve(options: ServeOptions, factory: EngineFactory = start_engine) -> None:
    """Say on standard output where, when it is ready; then serve until a signal comes."""
    stopped = _stop_signal()
    services = build_services(
        model_path=options.models,
        read_from=options.read_from,
        factory=factory,
        defaults=options.load_options,
        jit=options.jit,
        activity=Activity(),
        log_prompts=options.log_prompts,
        outside=options.outside,
        guardrail=options.guardrail,
    )
    sockets = _bind(options.host, options.port)
    gate = Gate(
        keys=KeyRing(ServerKey(options.api_key), services.keys),
        key_required=options.require_key or options.api_key is not None,
        open_to_all=options.no_auth,
        cors=options.cors,
    )
    listener, runtime_file = Listener(services, gate, sockets), RuntimeFile()
    port = sockets[0].getsockname()[1]
    root = _url(options.host, port)
    services.listener = OnlyListener(
        host=options.host, port=port, base_url=root, gate=gate, end=stopped.set
    )
    try:
        for model in options.load:
            await _until(stopped, services.manager.load(model))
        if not stopped.is_set():
            listener.start()
            await services.start()
            runtime_file.write(root, gate.keys.server_key.value)
            print(f"lmnb is ready at {root}v1", flush=True)
            _say_who_may_call(options, gate)
        await stopped.wait()
    finally:
        runtime_file.remove()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(services.close(), STOP_SECONDS)
        await listener.stop()


async def _until(stopped: asyncio.Event, work: Any) -> None:
    """Do `work`, unless a signal comes first."""
    task, signalled = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    await asyncio.wait([task, signalled], return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if stopped.is_set():
        task.cancel()
        await asyncio.wait([task])
    else:
        task.result()


def _stop_signal() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    return stopped


def _bind(host: str, port: int) -> Any:
    try:
        return bind_sockets(port, host)
    except OSError as error:
        raise LmnbError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another one with --port (0 takes any that is free)."
        ) from None


def _url(host: str, port: int) -> str:
    """An address at which this machine reaches the server."""
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _say_who_may_call(options: ServeOptions, gate: Gate) -> None:
    if options.no_auth:
        log.warning("--no-auth: everybody who reaches this port may use it.")
    elif options.api_key is None and (options.require_key or not is_loopback(options.host)):
        print(f"The API key is {gate.keys.server_key.value}", flush=True)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog, description="Serve local models over HTTP.")
    parser.add_argument("--host", default=os.environ.get("LMNB_HOST") or "127.0.0.1")
    parser.add_argument(
        "--port",
        type=_port,
        default=_default_port(),
        help="0 takes any that is free (default: 1234)",
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        default=os.environ.get("LMNB_API_KEY") or None,
        help="ask every caller for this key",
    )
    parser.add_argument("--require-key", action="store_true", help="ask for a key, and make one up")
    parser.add_argument("--no-auth", action="store_true", help="ask nobody for anything")
    parser.add_argument(
        "--cors", action="store_true", help="answer pages of other origins that have a key"
    )
    parser.add_argument(
        "--log-prompts", action="store_true", help="remember prompts and answers in the log"
    )
    outside, jit = Outside.of(), JitLoading.of()
    parser.add_argument(
        "--mcp",
        choices=get_args(McpMode),
        default=outside.mcp,
        help="MCP servers that chats may call: those in mcp.json, or any that a request names too",
    )
    parser.add_argument(
        "--remote-images",
        action="store_true",
        default=outside.remote_images,
        help="fetch pictures that requests give the address of",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[*outside.allowed_hosts],
        metavar="HOST",
        help="reach only this host (and others named so) for requests, even a private one",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="GGUF files, or folders of them, besides the usual places",
    )
    parser.add_argument(
        "--read-from",
        action="append",
        default=[],
        metavar="PROGRAM",
        help="use another program's models in place: lmstudio, ollama or llama.cpp",
    )
    parser.add_argument(
        "--load", action="append", default=[], metavar="MODEL", help="load it before serving"
    )
    parser.add_argument(
        "--no-jit",
        dest="jit",
        action="store_false",
        default=jit.enabled,
        help="serve only models that were loaded",
    )
    parser.add_argument(
        "--jit-ttl",
        type=_seconds,
        default=jit.ttl,
        metavar="SECONDS",
        help="unload what a request loaded after so long without another (0: never)",
    )
    parser.add_argument(
        "--no-auto-evict",
        dest="auto_evict",
        action="store_false",
        default=jit.auto_evict,
        help="keep what a request loaded when another model is asked for",
    )
    parser.add_argument(
        "--guardrail",
        choices=GUARDRAILS,
        default=default_guardrail(),
        help="memory that loads leave alone: 20 %%, 10 %%, none; off: nothing is refused",
    )
    group = parser.add_argument_group("how models are loaded, unless a request says otherwise")
    for name in LoadOptions.__struct_fields__:
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"load_{name}", metavar="VALUE")
    return parser


def _default_port() -> int:
    said = port_said(os.environ, "LMNB_PORT")
    return 1234 if said is None else said


def _port(text: str) -> int:
    return _read(as_port, text, "a port")


def _seconds(text: str) -> float:
    return _read(as_seconds, text, "a time to live")


def _read(reader: Callable[[str, str], T], text: str, name: str) -> T:
    """For argparse, which says which option it was."""
    try:
        return reader(text, name)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _options(parsed: argparse.Namespace) -> ServeOptions:
    """Raises InvalidRequest for load options that make no sense."""
    given = {name: getattr(parsed, f"load_{name}") for name in LoadOptions.__struct_fields__}
    return ServeOptions(
        host=parsed.host,
        port=parsed.port,
        api_key=parsed.api_key,
        require_key=parsed.require_key,
        no_auth=parsed.no_auth,
        cors=parsed.cors,
        log_prompts=parsed.log_prompts,
        outside=Outside(parsed.mcp, tuple(parsed.allowed_host), parsed.remote_images),
        models=tuple(parsed.models),
        read_from=tuple(parsed.read_from),
        load=tuple(parsed.load),
        jit=JitLoading(parsed.jit, parsed.jit_ttl, parsed.auto_evict),
        guardrail=parsed.guardrail,
        load_options=load_options(given),
    )
