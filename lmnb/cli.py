"""The `lmnb` command: the verbs of `%lms`, at a terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmnb._version import __version__
from lmnb.errors import LmnbError

if TYPE_CHECKING:
    from lmnb.notebook.connection.client import Client
    from lmnb.notebook.verbs import Verb

__all__ = ["main"]

USAGE, FAILURE, INTERRUPTED, PIPE_CLOSED = 2, 1, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status: 0, 1 (it failed), 2 (it was not understood), 130
    (interrupted), 141 (nobody reads on)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # code pages do not have all that models write
            stream.reconfigure(errors="replace")
    if words[:1] == ["serve"]:
        from lmnb.server import standalone

        return standalone.main(words[1:])
    if words in (["--version"], ["version"]):
        print(f"lmnb {__version__}")
        return 0
    try:
        status = _run(words)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt as stop:
        print(f"lmnb: {stop.args[0] if stop.args else 'interrupted'}", file=sys.stderr)
        return INTERRUPTED


def _run(words: list[str]) -> int:
    from lmnb.notebook.options import Helped, UsageMistake
    from lmnb.notebook.verbs import completion
    from lmnb.notebook.verbs.verb import find_verb

    verbs = table()
    host = words[1] if words[:1] == ["--host"] and len(words) > 1 else None
    words = words[2:] if host else words
    if not words or words[0] in ("help", "-h", "--help"):
        print(_help(verbs))
        return 0 if words else USAGE
    if words[0] == completion.ASK:
        print("\n".join(completion.complete(words[1:], verbs, lambda: _client(host))))
        return 0
    try:
        return _do(*find_verb(words, verbs, "lmnb"), host)
    except Helped as help:
        print(help.args[0])
        return 0
    except UsageMistake as mistake:
        print(f"lmnb: {mistake.message}", file=sys.stderr)
        return USAGE
    except LmnbError as error:
        print(f"lmnb: {error.message}", file=sys.stderr)
        return FAILURE


def _do(verb: Verb, words: list[str], host: str | None) -> int:
    from lmnb.notebook.display.screen import TerminalScreen
    from lmnb.notebook.options import option
    from lmnb.notebook.person import AtTerminal

    about_host = option("--host", metavar="URL", help="the server to ask: an address, or HOST:PORT")
    parsed = verb.parser("lmnb", () if verb.offline else (about_host,)).parse_line(words)
    screen = TerminalScreen(AtTerminal(), program="lmnb", messages=sys.stderr)
    client = None if verb.offline else _client(getattr(parsed, "host", None) or host)
    result = verb.run(client, screen, parsed)
    if result is not None:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0


def table() -> dict[str, Verb]:
    """Every verb of the command line, `serve` apart."""
    from lmnb.notebook.verbs import VERBS, chat, completion

    return VERBS | {verb.name: verb for verb in (chat.VERB, completion.VERB)}


def _client(host: str | None) -> Client:
    from lmnb.notebook.connection import discovery
    from lmnb.notebook.connection.client import Client

    return Client(discovery.named(host) if host else discovery.find_for_command())


def _help(verbs: dict[str, Any]) -> str:
    from lmnb.notebook.verbs.verb import overview

    return f"""\
Local language models.

{overview(verbs, "lmnb")}

  lmnb serve               Serve local models over HTTP, without a notebook server.

Each verb has options: `lmnb load --help`. They ask the server that runs for you: a notebook
server with lmnb, or `lmnb serve`; `--host URL` or LMNB_BASE_URL names another, LMNB_API_KEY its key."""
