"""The verbs of `%lms`, which are those of LM Studio's `lms`. The command line shares this table."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook import commands
from lmnb.notebook.load_options import LOAD_OPTIONS
from lmnb.notebook.options import LineParser, Option, option
from lmnb.notebook.screen import Screen

Run = Callable[[Any, Screen, Namespace], Any]
"""Takes the Client (None if `offline`), the Screen, and what was on the line."""


@dataclass(frozen=True)
class Verb:
    """What can be asked, with its options; `run` does it."""

    name: str
    """One word, or two: `server status`."""
    summary: str
    options: tuple[Option, ...]
    run: Run
    offline: bool = False
    """Needs no server."""

    def parser(self, program: str) -> LineParser:
        """`program` is what stands before the verb: `%lms` or `lmnb`."""
        return LineParser(f"{program} {self.name}", self.summary, self.options)


_JSON = option("--json", action="store_true", help="as JSON")

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "ls",
            "List the models on this machine.",
            (
                option("model", nargs="?", completes="model", help="only models named like this"),
                option("--llm", action="store_true", help="only language models"),
                option("--embedding", action="store_true", help="only embedding models"),
                _JSON,
            ),
            commands.ls,
        ),
        Verb("ps", "List the loaded models.", (_JSON,), commands.ps),
        Verb(
            "load",
            "Load a model. What is not said, lmnb decides.",
            (
                option("model", completes="model", help="a name from `ls`"),
                *LOAD_OPTIONS,
                option("-y", "--yes", action="store_true", help="never ask (it never does)"),
            ),
            commands.load,
        ),
        Verb(
            "unload",
            "Unload a model and give its memory back.",
            (
                option("identifier", nargs="?", completes="loaded", help="a name from `ps`"),
                option("-a", "--all", action="store_true", help="every loaded model"),
            ),
            commands.unload,
        ),
        Verb(
            "import",
            "Bring a GGUF file among the models.",
            (
                option("file", completes="file", help="the file"),
                option(
                    "-c", "--copy", dest="mode", action="store_const", const="copy", help="copy it"
                ),
                option(
                    "-L",
                    "--hard-link",
                    dest="mode",
                    action="store_const",
                    const="hard_link",
                    help="link it, on the same disk",
                ),
                option(
                    "-l",
                    "--symbolic-link",
                    dest="mode",
                    action="store_const",
                    const="symlink",
                    help="point to where it is (the default)",
                ),
                option("--move", dest="mode", action="store_const", const="move", help="move it"),
                option("-y", "--yes", action="store_true", help="never ask (it never does)"),
            ),
            commands.import_file,
        ),
        Verb("server status", "Say where the server is.", (_JSON,), commands.server_status),
        Verb("status", "The server, its models and its machine.", (_JSON,), commands.status),
    )
}


def find_verb(
    words: Sequence[str], verbs: Mapping[str, Verb], program: str
) -> tuple[Verb, list[str]]:
    """The verb a line begins with, and the words after it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in verbs:
            return verbs[name], list(words[length:])
    asked = words[0]
    continued = [name for name in verbs if name.startswith(asked + " ")]
    near = continued or difflib.get_close_matches(asked, verbs, n=1)
    hint = f"Did you mean `{program} {near[0]}`?" if near else f"`{program} help` lists the verbs."
    raise InvalidRequest(f"{program} has no verb {asked!r}. {hint}")


def overview(verbs: Mapping[str, Verb], program: str) -> str:
    """The table of verbs, as text."""
    width = max(map(len, verbs))
    return "\n".join(
        f"  {program} {name.ljust(width)}  {verb.summary}" for name, verb in verbs.items()
    )
