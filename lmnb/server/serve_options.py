"""What `lmnb serve` can be told, on its line and by `LMNB_*` variables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, get_args

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest
from lmnb.models.memory.fit import GUARDRAILS, Guardrail
from lmnb.server.defaults import default_guardrail, downloads_at_once, load_options
from lmnb.server.environment import as_number, as_seconds, number
from lmnb.server.jit import JitLoading
from lmnb.server.outside import Outside
from lmnb.service.downloads.downloads import DOWNLOADS
from lmnb.service.mcp.servers import McpMode

__all__ = ["ServeOptions", "serve_options"]

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
    downloads: int = DOWNLOADS
    load_options: LoadOptions = field(default_factory=LoadOptions)


def serve_options(words: Sequence[str] | None, prog: str) -> ServeOptions:
    """`words`: None: the process's own. Ends the process where argparse does. Raises InvalidRequest
    for variables and load options that make no sense."""
    parser = argparse.ArgumentParser(prog, description="Serve local models over HTTP.")
    _add_listening(parser)
    _add_outside(parser)
    _add_models(parser)
    group = parser.add_argument_group("how models are loaded, unless a request says otherwise")
    for name in LoadOptions.__struct_fields__:
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"load_{name}", metavar="VALUE")
    parsed = parser.parse_args(words)
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
        downloads=downloads_at_once(),
        load_options=load_options(given),
    )


def _add_listening(parser: argparse.ArgumentParser) -> None:
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


def _add_outside(parser: argparse.ArgumentParser) -> None:
    outside = Outside.of()
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


def _add_models(parser: argparse.ArgumentParser) -> None:
    jit = JitLoading.of()
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


def _default_port() -> int:
    said = number(os.environ, "LMNB_PORT")
    return ServeOptions.port if said is None else said


def _port(text: str) -> int:
    return _read(as_number, text, "a port")


def _seconds(text: str) -> float:
    return _read(as_seconds, text, "a time to live")


def _read(reader: Callable[[str, str], T], text: str, name: str) -> T:
    """For argparse, which says which option it was."""
    try:
        return reader(text, name)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(error.message) from None
