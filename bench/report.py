"""From the figures of all cells to one table: medians over rounds, ratios inside rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.summary import median

BEGIN, END = "<!-- bench.compare: begin -->", "<!-- bench.compare: end -->"


@dataclass(frozen=True)
class Result:
    """One cell: what a row gave on a server in a round, or why it gave nothing."""

    round: int
    row: str
    server: str
    figures: dict[str, float]
    error: str | None = None


@dataclass(frozen=True)
class Line:
    """A line of the table: one figure of one row."""

    label: str
    row: str
    figure: str
    better: Literal["more", "less"]
    bar: float | None = None
    """What lmnb must reach: a ratio to `reference`, or the figure itself when there is none."""
    reference: str | None = "llama-server"

    def met(self, value: float) -> bool:
        assert self.bar is not None
        return value >= self.bar if self.better == "more" else value <= self.bar


LINES = (
    Line("1 stream, output tokens/s", "one-stream", "output_tps", "more", 0.98),
    Line("1 stream, decode tokens/s", "one-stream", "decode_tps", "more"),
    Line(
        "1 stream, output tokens/s, against fixed threads",
        "one-stream",
        "output_tps",
        "more",
        0.95,
        "lmnb-fixed",
    ),
    Line(
        "8 streams, distinct prompts, output tokens/s", "eight-streams", "output_tps", "more", 1.0
    ),
    Line(
        "the same, against llama-cpp-python",
        "eight-streams",
        "output_tps",
        "more",
        1.6,
        "llama-cpp-python",
    ),
    Line(
        "16 streams, fresh prompts, output tokens/s",
        "sixteen-streams",
        "fresh_output_tps",
        "more",
        0.95,
    ),
    Line(
        "the same prompts after eviction, output tokens/s",
        "sixteen-streams",
        "again_output_tps",
        "more",
        1.0,
    ),
    Line(
        "8 requests, one 800-token prefix, output tokens/s",
        "shared-prefix",
        "output_tps",
        "more",
        3.5,
    ),
    Line(
        "the same, first token p95, ms",
        "shared-prefix",
        "first_token_p95_ms",
        "less",
        0.12,
    ),
    Line(
        "the same, output tokens/s, against llama-cpp-python",
        "shared-prefix",
        "output_tps",
        "more",
        5.0,
        "llama-cpp-python",
    ),
    Line(
        "1 client, prefix cached, first token p50, ms",
        "cached-prefix",
        "first_token_p50_ms",
        "less",
        1.0,
    ),
    Line("1 stream, kernel idle, output tokens/s", "busy-kernel", "idle_output_tps", "more"),
    Line("1 stream, kernel busy, output tokens/s", "busy-kernel", "busy_output_tps", "more"),
    Line("busy in % of idle", "busy-kernel", "busy_percent_of_idle", "more", 60.0, None),
    Line(
        "event loop lag at 8 streams, p99, ms",
        "eight-streams",
        "loop_lag_p99_ms",
        "less",
        5.0,
        None,
    ),
    Line("peak PSS at 8 streams, MiB", "eight-streams", "peak_pss_mib", "less", 500.0, None),
    Line("peak PSS at 16 streams, MiB", "sixteen-streams", "peak_pss_mib", "less", None, None),
    Line("Python in a decode step, %", "eight-streams", "python_percent", "less", 1.0, None),
)


def figures(results: Iterable[Result], row: str, server: str, figure: str) -> dict[int, float]:
    """The figure by round."""
    return {
        result.round: result.figures[figure]
        for result in results
        if (result.row, result.server) == (row, server) and figure in result.figures
    }


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if not math.isfinite(value):
        return "-"
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def cell_text(values: Sequence[float]) -> str:
    """`median (lowest to highest)`."""
    if not values:
        return "-"
    middle = number(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))} to {number(max(values))})"


def table(results: Sequence[Result], servers: Sequence[str], subject: str) -> str:
    """The Markdown table. `subject` is the server whose ratios and bars are shown."""
    shown = [server for server in servers if any(result.server == server for result in results)]
    head = ["work", *shown, "ratio", "must reach", "reached"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in LINES:
        values = {server: figures(results, line.row, server, line.figure) for server in shown}
        if not any(values.values()):
            continue
        own = values.get(subject, {})
        outcome: float | None = median(list(own.values())) if own else None
        ratio = ""
        if line.reference is not None:
            others = values.get(line.reference, {})
            pairs = [own[r] / others[r] for r in own if others.get(r)]
            outcome = median(pairs) if pairs else None
            ratio = "" if outcome is None else f"{number(outcome)} x {line.reference}"
        bar = reached = ""
        if line.bar is not None:
            bar = ("≥ " if line.better == "more" else "≤ ") + f"{line.bar:g}"
            reached = "" if outcome is None else "yes" if line.met(outcome) else "**no**"
        texts = [cell_text(list(values[server].values())) for server in shown]
        lines.append("| " + " | ".join([line.label, *texts, ratio, bar, reached]) + " |")
    failures = [
        f"- failed: {result.row} on {result.server}, round {result.round + 1}: {result.error}"
        for result in results
        if result.error is not None
    ]
    return "\n".join(lines + (["", *failures] if failures else []))


def write_between_marks(page: Path, text: str) -> None:
    """Replace what is between the two marks of a page; everything else stays."""
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} has no lines {BEGIN} and {END}")
    before, after = old.partition(BEGIN)[0], old.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
