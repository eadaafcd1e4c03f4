"""What can be asked on the first line of a `%%lms` cell."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import Any

from lmnb.notebook.chat.exchange import MAX_ROUNDS
from lmnb.notebook.chat.formats import FORMATS
from lmnb.notebook.chat.values import ROWS
from lmnb.notebook.options import LineParser, between, count, option

_SHARE = between(0, 1)
_FACTOR = between(0, 1e6)


def bias(text: str) -> tuple[str, float]:
    """`TOKEN:BIAS`."""
    token, _, value = text.partition(":")
    try:
        return str(int(token)), float(value)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a token's number, a colon and a number") from None


SAMPLING_OPTIONS = (
    option("-t", "--temperature", type=between(0, 2), metavar="T", help="0 is greedy"),
    option("--max-tokens", type=count, metavar="N", help="longest answer"),
    option("--seed", type=int, metavar="N", help="the same seed gives the same answer"),
    option("--top-p", type=_SHARE, metavar="P", help="nucleus sampling"),
    option(
        "--top-k", type=between(-1, 2**31, int), metavar="K", help="only the K likeliest tokens"
    ),
    option("--min-p", type=_SHARE, metavar="P", help="only tokens this near the likeliest"),
    option("--typical-p", type=_SHARE, metavar="P", help="locally typical sampling"),
    option(
        "--top-n-sigma", type=between(-1, 1e6), metavar="X", help="only logits this near the top"
    ),
    option(
        "--xtc-probability", type=_SHARE, metavar="P", help="how often to leave out top choices"
    ),
    option("--xtc-threshold", type=_SHARE, metavar="P", help="what counts as one"),
    option("--dynatemp-range", type=_FACTOR, metavar="X", help="temperature moves by so much"),
    option("--dynatemp-exponent", type=_FACTOR, metavar="X", help="and how with entropy"),
    option("--repeat-penalty", type=between(0, 100), metavar="X", help="1 is none"),
    option("--repeat-last-n", type=between(-1, 2**31, int), metavar="N", help="tokens it looks at"),
    option("--presence-penalty", type=between(-2, 2), metavar="X", help="0 is none"),
    option("--frequency-penalty", type=between(-2, 2), metavar="X", help="0 is none"),
    option(
        "--dry-multiplier", type=_FACTOR, metavar="X", help="against repeated phrases; 0 is off"
    ),
    option("--dry-base", type=_FACTOR, metavar="X", help="its growth with length"),
    option("--dry-allowed-length", type=between(0, 2**31, int), metavar="N", help="free length"),
    option("--dry-penalty-last-n", type=between(-1, 2**31, int), metavar="N", help="tokens back"),
    option("--mirostat", type=int, choices=(0, 1, 2), help="a target of surprise, version 1 or 2"),
    option("--mirostat-tau", type=_FACTOR, metavar="X", help="the target"),
    option("--mirostat-eta", type=_FACTOR, metavar="X", help="how fast it is learnt"),
    option("--logit-bias", type=bias, action="append", metavar="TOKEN:X", help="-100 forbids it"),
    option("--stop", action="append", metavar="TEXT", help="end before this text (repeatable)"),
    option("--reasoning-effort", metavar="EFFORT", help="for models that think: none, low, high …"),
)

CELL_OPTIONS = (
    option("-m", "--model", completes="model", metavar="NAME", help="a name, here or on the Hub"),
    option("-s", "--system", metavar="TEXT", help="system message, kept until `%%lms reset`"),
    option("--compare", completes="models", metavar="A,B", help="ask several models, side by side"),
    option(
        "--schema",
        completes="schema",
        metavar="TYPE",
        help="pydantic model, dataclass, TypedDict, other type, or JSON schema (a name, or JSON)",
    ),
    option("--tools", completes="function", metavar="F,G", help="functions the model may call"),
    option("--tool-choice", metavar="MODE", help="auto, required, none, or a function's name"),
    option(
        "--max-rounds",
        type=count,
        default=MAX_ROUNDS,
        metavar="N",
        help="most answers with tool calls between them",
    ),
    option("-y", "--yes", action="store_true", help="run tool calls and download without asking"),
    option(
        "--attach",
        action="append",
        default=[],
        completes="variable",
        metavar="VALUE",
        help="send a variable (repeatable): table, data, array, function",
    ),
    option("--rows", type=count, default=ROWS, metavar="N", help="rows of an attached table"),
    option("--csv", action="store_true", help="attached tables as CSV, not Markdown"),
    option(
        "--file",
        action="append",
        default=[],
        completes="file",
        metavar="FILE",
        help="send a text, CSV, notebook or PDF (repeatable)",
    ),
    option(
        "--image",
        action="append",
        default=[],
        completes="variable",
        metavar="IMAGE",
        help="show it a file, address or variable (repeatable)",
    ),
    option("-f", "--format", choices=FORMATS, default="markdown", help="how the answer is shown"),
    option("-o", "--out", metavar="VAR", help="put the answer there; with --schema, its value"),
    option("--stats", action="store_true", help="a table of times and tokens under the answer"),
    option("--no-history", action="store_true", help="neither read nor extend the conversation"),
    option("--raw", action="store_true", help="send braces as they are: no {expressions}"),
    *SAMPLING_OPTIONS,
)

CELL_EXAMPLES = """\
  %%lms                                             just ask
  %%lms -m qwen3-0.6b -s "Answer briefly." -t 0     which model, and how
  %%lms --schema Invoice --out invoice              the answer as a Python value
  %%lms --tools weather,clock                       let it call functions; you are asked first
  %%lms --attach frame --rows 50 --file notes.md    send a table and a file along
  %%lms --image figure                              show it a picture
  %%lms --compare small,large                       two models side by side"""

DESCRIPTION = f"""\
The cell is a message to a model; the answer streams below it and is saved with the notebook.
The conversation goes on from cell to cell until `%lms reset`. The answer is also in `_`.

Without -m: %config LMSMagics.model, else the loaded model, else the only one on this machine.

{{expression}} in the cell is replaced by its value: a name of the notebook, or something reached
from one by attribute, index or call: {{name}}  {{rows[0]["title"]}}  {{frame.head()}}  {{len(rows)}}
Braces around anything else stay as they are: JSON, dicts, LaTeX, names that do not exist.
{{{{name}}}} sends {{name}}. An expression that raises fails the cell, and nothing is sent.

Examples (the message follows on the next lines):
{CELL_EXAMPLES}"""


def cell_parser() -> LineParser:
    """The parser of a `%%lms` line."""
    return LineParser("%%lms", DESCRIPTION.replace("%", "%%"), CELL_OPTIONS)


def sampling(arguments: Namespace) -> dict[str, Any]:
    """The sampling options that were on the line, by their OpenAI (or llama.cpp) names."""
    names = [each.flags[-1].lstrip("-").replace("-", "_") for each in SAMPLING_OPTIONS]
    found = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if biases := found.get("logit_bias"):
        found["logit_bias"] = dict(biases)
    return found
