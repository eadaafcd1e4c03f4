"""The rows of the table: what is done to a freshly started server, and which figures come out.

A cell is one row on one server. Every server gets the same prompts in a round and other prompts in
the next. A figure that a server cannot give is left out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bench.child import Child
from bench.load import Load, run
from bench.memory import PeakMemory
from bench.servers import REPOSITORY, Server
from bench.summary import Summary, summarise

Figures = dict[str, float]
SHARED_TOKENS, SHARED = 850, 0.95
PROMPT_TOKENS = 157
BUSY_SECONDS = 60.0
"""How long the busy kernel's requests may take: some servers nearly stand still."""


class CellFailed(Exception):
    """A request failed, so the figures would be of something else."""


@dataclass(frozen=True)
class Cell:
    """One row on one running server."""

    server: Server
    seed: int
    quick: bool = False
    """Only see that it works: few requests, short answers."""

    async def load(self, load: Load, *, part: int = 0) -> Summary:
        """Run a load with this cell's prompts. Another `part`: other prompts."""
        load = replace(load, seed=self.seed + 1000 * part, prefix_seed=self.seed)
        if self.quick:
            requests = min(load.requests, load.concurrency + 1)
            load = replace(load, requests=requests, max_tokens=min(load.max_tokens, 8))
        summary = summarise(await run(self.server.target, load))
        if summary.errors:
            raise CellFailed(summary.errors[0])
        return summary


async def one_stream(cell: Cell) -> Figures:
    """One client, fresh prompts."""
    summary = await cell.load(Load(requests=6, prompt_tokens=PROMPT_TOKENS))
    return {
        "output_tps": summary.output_tokens_per_second,
        "decode_tps": summary.decode_tokens_per_second,
        "first_token_p50_ms": summary.first_token_ms.p50,
        "gap_p99_ms": summary.gap_ms.p99,
    }


async def eight_streams(cell: Cell) -> Figures:
    """Eight clients, distinct fresh prompts. Then the loop's lag under the same load, apart,
    because measuring it costs a little."""
    load = Load(concurrency=8, requests=16, prompt_tokens=PROMPT_TOKENS)
    before = await cell.server.python_and_step_seconds()
    summary = await cell.load(load)
    after = await cell.server.python_and_step_seconds()
    figures = {
        "output_tps": summary.output_tokens_per_second,
        "first_token_p95_ms": summary.first_token_ms.p95,
        "gap_p99_ms": summary.gap_ms.p99,
    }
    if before and after and after[1] > before[1]:
        figures["python_percent"] = 100 * (after[0] - before[0]) / (after[1] - before[1])
    if await cell.server.start_loop_lag():
        await cell.load(load, part=1)
        lag = await cell.server.loop_lag_ms()
        figures |= {"loop_lag_p99_ms": lag["p99_ms"], "loop_lag_max_ms": lag["max_ms"]}
    return figures


async def sixteen_streams(cell: Cell) -> Figures:
    """Sixteen prompts at once, then sixteen others, which take the slots; then the first again."""
    load = Load(concurrency=16, requests=16, prompt_tokens=PROMPT_TOKENS)
    first = await cell.load(load)
    others = await cell.load(load, part=1)
    again = await cell.load(load)
    tokens = first.output_tokens + others.output_tokens
    return {
        "fresh_output_tps": tokens / (first.wall_seconds + others.wall_seconds),
        "again_output_tps": again.output_tokens_per_second,
        "again_first_token_p95_ms": again.first_token_ms.p95,
        "again_cached_share": again.cached_tokens / max(1, again.prompt_tokens),
    }


async def shared_prefix(cell: Cell) -> Figures:
    """Eight clients whose prompts begin with the same 800 tokens, which no one has sent before."""
    summary = await cell.load(
        Load(concurrency=8, requests=16, prompt_tokens=SHARED_TOKENS, shared_prefix=SHARED)
    )
    return {
        "output_tps": summary.output_tokens_per_second,
        "first_token_p95_ms": summary.first_token_ms.p95,
        "cached_share": summary.cached_tokens / max(1, summary.prompt_tokens),
    }


async def cached_prefix(cell: Cell) -> Figures:
    """One client; the server has seen the first 800 tokens of each prompt just before."""
    load = Load(requests=8, prompt_tokens=SHARED_TOKENS, shared_prefix=SHARED, max_tokens=16)
    await cell.load(replace(load, requests=1), part=1)
    summary = await cell.load(load)
    return {
        "first_token_p50_ms": summary.first_token_ms.p50,
        "cached_share": summary.cached_tokens / max(1, summary.prompt_tokens),
    }


async def busy_kernel(cell: Cell) -> Figures:
    """One stream on the idle machine, then while another process computes in a session of its own.

    Decode speed of all that came within the time limit; the first busy answer, in which a server
    may still be adapting, is told apart."""
    load = Load(requests=1 if cell.quick else 3, max_tokens=8 if cell.quick else 96)
    load = replace(load, prompt_tokens=32, seed=cell.seed)
    idle = summarise(await run(cell.server.target, load))
    if idle.errors:
        raise CellFailed(idle.errors[0])
    kernel = Child(
        [sys.executable, "-m", "bench.busy"], environment={"PYTHONPATH": str(REPOSITORY)}
    )
    try:
        await asyncio.sleep(1.0)
        busy = replace(load, seed=cell.seed + 1000, timeout=BUSY_SECONDS / load.requests)
        samples = await run(cell.server.target, busy)
        if not kernel.running:
            raise CellFailed("the busy process ended early")
    finally:
        kernel.stop()
    # A request that the time limit ended has no usage: its events count, and no second one is lost.
    spent = [sample.ended - sample.started for sample in samples]
    rates = [sample.tokens / seconds for sample, seconds in zip(samples, spent, strict=True)]
    busy_tps = sum(sample.tokens for sample in samples) / sum(spent)
    return {
        "idle_output_tps": idle.output_tokens_per_second,
        "busy_output_tps": busy_tps,
        "busy_first_output_tps": rates[0],
        "busy_last_output_tps": rates[-1],
        "busy_percent_of_idle": 100 * busy_tps / idle.output_tokens_per_second,
    }


ROWS: dict[str, Callable[[Cell], Awaitable[Figures]]] = {
    "one-stream": one_stream,
    "eight-streams": eight_streams,
    "sixteen-streams": sixteen_streams,
    "shared-prefix": shared_prefix,
    "cached-prefix": cached_prefix,
    "busy-kernel": busy_kernel,
}


async def run_cell(row: str, cell: Cell) -> Figures:
    """Warm the server up with one short answer, run the row, add the peak memory."""
    warm = await run(cell.server.target, Load(requests=1, max_tokens=8, seed=cell.seed + 999))
    if warm[0].error is not None:
        raise CellFailed(f"warm-up: {warm[0].error}")
    async with PeakMemory([cell.server.pid], interval=2.0) as memory:
        figures = await ROWS[row](cell)
    if memory.peak_mib is not None:
        figures["peak_pss_mib"] = memory.peak_mib
    return figures
