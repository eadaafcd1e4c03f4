"""What a verb is, and how a line finds its own."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.notebook.display.screen import Screen
from lmnb.notebook.options import LineParser, Option, UsageMistake, option

Run = Callable[[Any, Screen, Namespace], Any]
"""Takes the Client (None if `offline`), the Screen, and what was on the line."""

JSON = option("--json", action="store_true", help="as JSON")
YES = option("-y", "--yes", action="store_true", help="ask nothing")


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

    def parser(self, program: str, more: Sequence[Option] = ()) -> LineParser:
        """`program` is what stands before the verb: `%lms` or `lmnb`."""
        return LineParser(f"{program} {self.name}", self.summary, (*self.options, *more))


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
    meant = " or ".join(f"`{program} {name}`" for name in near)
    hint = f"Did you mean {meant}?" if near else f"`{program} help` lists the verbs."
    raise UsageMistake(f"{program} has no verb {asked!r}. {hint}")


def overview(verbs: Mapping[str, Verb], program: str) -> str:
    """The table of verbs, as text."""
    width = max(map(len, verbs))
    return "\n".join(
        f"  {program} {name.ljust(width)}  {verb.summary}" for name, verb in verbs.items()
    )
