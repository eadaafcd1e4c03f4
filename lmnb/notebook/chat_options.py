"""What can be asked on the first line of a `%%lms` cell."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from lmnb.notebook.options import LineParser, between, count, option

SAMPLING_OPTIONS = (
    option("-t", "--temperature", type=between(0, 100), metavar="T", help="0 is greedy"),
    option("--max-tokens", type=count, metavar="N", help="longest answer"),
    option("--seed", type=int, metavar="N", help="the same seed gives the same answer"),
    option("--top-p", type=between(0, 1), metavar="P", help="nucleus sampling"),
    option("--top-k", type=between(0, 2**31, int), metavar="K", help="only the K likeliest tokens"),
    option("--min-p", type=between(0, 1), metavar="P", help="only tokens this near the likeliest"),
    option("--repeat-penalty", type=between(0, 100), metavar="X", help="1 is none"),
    option("--presence-penalty", type=between(-2, 2), metavar="X", help="0 is none"),
    option("--frequency-penalty", type=between(-2, 2), metavar="X", help="0 is none"),
    option("--stop", action="append", metavar="TEXT", help="end before this text (repeatable)"),
    option("--reasoning-effort", metavar="EFFORT", help="for models that think: low, medium, high"),
)

CELL_OPTIONS = (
    option("-m", "--model", completes="model", metavar="NAME", help="a name from `%%lms ls`"),
    option("-s", "--system", metavar="TEXT", help="system message, kept until `%%lms reset`"),
    *SAMPLING_OPTIONS,
    option(
        "-o", "--out", metavar="VAR", help="put the answer (a lmnb Reply, which is a str) there"
    ),
    option("--no-history", action="store_true", help="neither read nor extend the conversation"),
    option("--raw", action="store_true", help="send braces as they are: no {expressions}"),
)

DESCRIPTION = """\
The cell is a message to a model; the answer streams below it and is saved with the notebook.
The conversation goes on from cell to cell until `%lms reset`. The answer is also in `_`.

Without -m: %config LMSMagics.model, else the loaded model, else the only one on this machine.

{expression} in the cell is replaced by its value: a name of the notebook, or something reached
from one by attribute, index or call: {name}  {rows[0]["title"]}  {frame.head()}  {len(rows)}
Braces around anything else stay as they are: JSON, dicts, LaTeX, names that do not exist.
{{name}} sends {name}. An expression that raises fails the cell, and nothing is sent."""


def cell_parser() -> LineParser:
    """The parser of a `%%lms` line."""
    return LineParser("%%lms", DESCRIPTION, CELL_OPTIONS)


def sampling(arguments: Namespace) -> dict[str, Any]:
    """The sampling options that were on the line, by their OpenAI (or llama.cpp) names."""
    names = [each.flags[-1].lstrip("-").replace("-", "_") for each in SAMPLING_OPTIONS]
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}
