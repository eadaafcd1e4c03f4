"""`lmnb serve`: the same routes without a notebook server around them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

from tornado.netutil import bind_sockets

from lmnb.api.services import Activity
from lmnb.engine import EngineFactory
from lmnb.engine.process import start_engine
from lmnb.errors import LmnbError
from lmnb.server.build import build_services
from lmnb.server.gate import Gate
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.listener import Listener
from lmnb.server.only import OnlyListener
from lmnb.server.peer import is_loopback
from lmnb.server.runtime import RuntimeFile
from lmnb.server.serve_options import ServeOptions, serve_options

__all__ = ["main", "serve"]

log = logging.getLogger("lmnb.server")
STOP_SECONDS = 3.0


def main(arguments: Sequence[str] | None = None, *, prog: str = "lmnb serve") -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s")
    try:
        options = serve_options(arguments, prog)
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
        downloads=options.downloads,
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
    """Set by SIGINT and SIGTERM, and what Windows has in its place."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    names = "SIGINT", "SIGTERM", "SIGBREAK"
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
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
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _say_who_may_call(options: ServeOptions, gate: Gate) -> None:
    if options.no_auth:
        log.warning("--no-auth: everybody who reaches this port may use it.")
    elif options.api_key is None and (options.require_key or not is_loopback(options.host)):
        print(f"The API key is {gate.keys.server_key.value}", flush=True)
