"""Run lmnb, llama-server and llama-cpp-python's server side by side on one GGUF.

    python -m bench.compare --model SmolLM2-135M-Instruct.Q4_1.gguf --rounds 3

A cell is one row of work on one server, which is started for it, warmed up, measured and ended, so
that nothing else runs and no cache is warm unless the row says so. Inside a round, the servers take
turns row by row; the next round begins with another server. Ratios are taken inside a round and
their median is shown: a machine that drifts hurts them least so.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.report import Result, table, write_between_marks
from bench.rows import ROWS, Cell, CellFailed, run_cell
from bench.servers import SERVERS, Setup, StartError
from bench.summary import to_json

CELL_SECONDS = 600.0
MAX_ROUNDS = 20


def cells(
    rounds: int, rows: Sequence[str], servers: Sequence[str]
) -> Iterator[tuple[int, str, str]]:
    """(round, row, server) in the order in which they run."""
    for turn in range(rounds):
        shift = turn % len(servers)
        for row in rows:
            for server in (*servers[shift:], *servers[:shift]):
                yield turn, row, server


async def measure(
    setup: Setup, turn: int, row: str, name: str, *, seed: int, quick: bool
) -> Result:
    """Run one cell. A failure is a result too: the other cells still run."""
    started = time.monotonic()
    figures: dict[str, float] = {}
    error: str | None = None
    server = SERVERS[name](setup)
    try:
        async with asyncio.timeout(CELL_SECONDS), server:
            # Not hash(): it differs from run to run. The same for every server in this round.
            cell_seed = seed + 100_000 * turn + 10_000 * list(ROWS).index(row)
            figures = await run_cell(row, Cell(server, seed=cell_seed, quick=quick))
    except (CellFailed, StartError, OSError) as failure:
        error = str(failure)
    except TimeoutError:
        error = f"not done after {CELL_SECONDS:g} s"
    if server.leftovers:
        print(f"{name} left processes behind: {server.leftovers}", file=sys.stderr)
    seconds = time.monotonic() - started
    told = error or "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
    print(
        f"round {turn + 1}  {row}  {name}  ({seconds:.0f} s)  {told}", file=sys.stderr, flush=True
    )
    return Result(turn, row, name, figures, error.splitlines()[0] if error else None)


async def run(options: argparse.Namespace) -> list[Result]:
    setup = Setup(
        model=options.model,
        threads=options.threads,
        slots=options.slots,
        context=options.context,
        llama_server=options.llama_server,
        lmnb_options=dict(options.lmnb_option),
    )
    results = []
    for turn, row, server in cells(options.rounds, options.rows, options.servers):
        results.append(
            await measure(setup, turn, row, server, seed=options.seed, quick=options.quick)
        )
        if options.json:
            save(options.json, options, results)
    return results


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on. No paths."""
    versions = {
        "lmnb": machine.package_version("lmnb"),
        "llama-server": machine.llama_server_version(options.llama_server),
        "llama-cpp-python": machine.package_version("llama-cpp-python"),
    }
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "versions": {name: found for name, found in versions.items() if found},
        "model": options.model.name,
        "command": command_line(options),
        "rounds": options.rounds,
    }


def command_line(options: argparse.Namespace) -> str:
    """The command that gives this table again, with file names instead of paths."""
    words = ["python", "-m", "bench.compare", "--model", options.model.name]
    words += ["--servers", ",".join(options.servers), "--rows", ",".join(options.rows)]
    words += ["--threads", str(options.threads), "--slots", str(options.slots)]
    words += ["--context", str(options.context), "--rounds", str(options.rounds)]
    for name, value in options.lmnb_option:
        words += ["--lmnb-option", f"{name}={json.dumps(value)}"]
    return shlex.join(words)


def save(path: Path, options: argparse.Namespace, results: Sequence[Result]) -> None:
    document = {**facts(options), "seed": options.seed, "quick": options.quick}
    document["results"] = [to_json(result) for result in results]
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def page(options: argparse.Namespace, results: Sequence[Result]) -> str:
    """What goes into docs/performance.md."""
    about = facts(options)
    versions = ", ".join(f"{name} {found}" for name, found in about["versions"].items())
    subject = next((name for name in options.servers if name.startswith("lmnb")), "lmnb")
    head = [
        f"{about['date']}. {about['machine']}. {versions}. {about['model']}, "
        f"{options.threads} threads, {options.slots} slots, {options.context} tokens of context, "
        f"{options.rounds} rounds: median (lowest to highest), and the median of the rounds' ratios.",
        "",
        f"    {about['command']}",
        "",
    ]
    return "\n".join(head) + "\n" + table(results, options.servers, subject)


def names_among(known: Sequence[str]) -> Any:
    """An argparse type: a comma-separated choice of the known names."""

    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; there are {', '.join(known)}"
            )
        if not names:
            raise argparse.ArgumentTypeError("none given")
        return names

    return parse


def load_option(text: str) -> tuple[str, Any]:
    """`name=value`, the value as JSON (`kv_unified=false`) or else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("name=value is needed")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def gguf_file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path


def rounds_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MAX_ROUNDS:
        raise argparse.ArgumentTypeError(f"between 1 and {MAX_ROUNDS}")
    return count


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description="Compare servers on one GGUF, in alternation. Takes about 10 minutes a round "
        "with all rows and three servers on two slow cores.",
    )
    parser.add_argument("--model", type=gguf_file, required=True, metavar="FILE.gguf")
    parser.add_argument(
        "--servers",
        type=names_among(list(SERVERS)),
        default=["lmnb", "llama-server", "llama-cpp-python"],
        metavar="A,B",
        help=f"of {', '.join(SERVERS)}; ratios are those of the first that begins with lmnb",
    )
    parser.add_argument(
        "--rows",
        type=names_among(list(ROWS)),
        default=list(ROWS),
        metavar="A,B",
        help=f"of {', '.join(ROWS)}",
    )
    parser.add_argument("--rounds", type=rounds_count, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--context", type=int, default=16384, help="tokens of all slots together")
    parser.add_argument("--llama-server", metavar="PATH", help="default: the one on PATH")
    parser.add_argument(
        "--lmnb-option",
        type=load_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a load option for lmnb, such as kv_unified=false",
    )
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 2**31, help="of the prompts; new each time"
    )
    parser.add_argument("--quick", action="store_true", help="only see that every row works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save every cell's figures")
    parser.add_argument("--write", type=Path, metavar="PAGE.md", help="put the table into a page")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that children are ended
    try:
        results = asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    text = page(options, results)
    print(text)
    if options.write and options.quick:
        print("not written: --quick gives no figures to keep", file=sys.stderr)
    elif options.write:
        write_between_marks(options.write, text)
    return 1 if any(result.error for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
