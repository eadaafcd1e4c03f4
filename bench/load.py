"""Load any OpenAI-compatible server with chat completions, and say how it did.

    python -m bench.load --base-url http://127.0.0.1:1234/v1 --model smollm2 \\
        --concurrency 8 --requests 16 --prompt-tokens 157 --max-tokens 64 --seed 1

Use a new `--seed` for every run: servers cache prompts, and the same prompts again measure that.
Output tokens are counted by the server (`usage`); a server that sends no usage in streams is
counted by events, and the result says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.client import Sample, Target, complete, request_body
from bench.memory import PeakMemory, supported
from bench.prompts import make_prompts
from bench.summary import Summary, summarise, to_json

MAX_REQUESTS = 10_000
MAX_CONCURRENCY = 256


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of the server."""

    concurrency: int = 1
    requests: int = 8
    prompt_tokens: int = 157
    shared_prefix: float = 0.0
    max_tokens: int = 64
    seed: int = 0
    prefix_seed: int | None = None
    temperature: float = 0.0
    stream: bool = True
    timeout: float = 300.0
    """Seconds one request may take."""

    def __post_init__(self) -> None:
        if not 1 <= self.requests <= MAX_REQUESTS:
            raise ValueError(f"requests must be between 1 and {MAX_REQUESTS}")
        if not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise ValueError(f"concurrency must be between 1 and {MAX_CONCURRENCY}")

    def bodies(self, model: str) -> list[dict[str, object]]:
        prompts = make_prompts(
            self.requests,
            tokens=self.prompt_tokens,
            shared_prefix=self.shared_prefix,
            seed=self.seed,
            prefix_seed=self.prefix_seed,
        )
        return [
            request_body(
                model,
                prompt,
                max_tokens=self.max_tokens,
                stream=self.stream,
                temperature=self.temperature,
                seed=self.seed + index,
            )
            for index, prompt in enumerate(prompts)
        ]


async def run(target: Target, load: Load) -> list[Sample]:
    """Keep `concurrency` requests in flight until all are done."""
    waiting = iter(load.bodies(target.model))
    samples: list[Sample] = []

    async def client() -> None:
        for body in waiting:
            samples.append(await complete(target, body, limit=load.timeout))

    await asyncio.gather(*(client() for _ in range(min(load.concurrency, load.requests))))
    return samples


async def measure(
    target: Target, load: Load, *, pids: Sequence[int] = (), memory_interval: float = 1.0
) -> Summary:
    """Run the load and summarise it, with the peak memory of `pids` and all they started."""
    async with PeakMemory(pids, interval=memory_interval) as memory:
        samples = await run(target, load)
    return summarise(samples, peak_pss_mib=memory.peak_mib)


def report(summary: Summary) -> str:
    """The summary for a terminal."""
    lines = [
        f"requests          {summary.requests} in {summary.wall_seconds:.2f} s, "
        f"{len(summary.errors)} errors",
        f"prompt tokens     {summary.prompt_tokens} ({summary.cached_tokens} cached)",
        f"output tokens     {summary.output_tokens} (counted by {summary.counted_by})",
        f"output tokens/s   {summary.output_tokens_per_second:.2f}",
        f"decode tokens/s   {summary.decode_tokens_per_second:.2f} (one stream, median)",
    ]
    for name, spread in (
        ("first token", summary.first_token_ms),
        ("between events", summary.gap_ms),
        ("whole request", summary.request_ms),
    ):
        if math.isnan(spread.p50):
            continue
        lines.append(
            f"{name:<17} p50 {spread.p50:.1f}  p95 {spread.p95:.1f}  p99 {spread.p99:.1f} ms"
        )
    if summary.peak_pss_mib is not None:
        lines.append(f"peak PSS          {summary.peak_pss_mib:.0f} MiB")
    lines += [f"error: {error}" for error in summary.errors[:5]]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.load", description="Load an OpenAI-compatible server."
    )
    parser.add_argument("--base-url", required=True, help="for example http://127.0.0.1:1234/v1")
    parser.add_argument("--api-key", help="sent as a bearer token")
    parser.add_argument("--model", required=True)
    parser.add_argument("--concurrency", type=int, default=1, help="requests in flight")
    parser.add_argument("--requests", type=int, default=8, help="requests in all")
    parser.add_argument(
        "--prompt-tokens",
        type=int,
        default=157,
        help="about so many in the message; the chat template adds its own",
    )
    parser.add_argument(
        "--shared-prefix",
        type=float,
        default=0.0,
        help="share of the prompt that is the same in all",
    )
    parser.add_argument("--max-tokens", type=int, default=64, help="tokens of each answer")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 2**31, help="new for each run if not given"
    )
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--no-stream", dest="stream", action="store_false")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one request")
    parser.add_argument(
        "--pid",
        type=int,
        action="append",
        default=[],
        help="a server process: its peak memory and that of all it started (Linux only)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = vars(parser().parse_args(arguments))
    pids, as_json = options.pop("pid"), options.pop("json")
    if pids and not supported():
        print("--pid needs Linux's /proc: no memory figures here", file=sys.stderr)
    try:
        target = Target(options.pop("base_url"), options.pop("model"), options.pop("api_key"))
        load = Load(**options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        summary = asyncio.run(measure(target, load, pids=pids))
    except KeyboardInterrupt:
        return 130
    if as_json:
        print(json.dumps(to_json({"load": asdict(load), "summary": asdict(summary)}), indent=2))
    else:
        print(report(summary))
    return 1 if summary.errors else 0


if __name__ == "__main__":
    sys.exit(main())
