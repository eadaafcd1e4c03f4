"""Embeddings a second: lmnb beside llama-server, on one embedding model.

    python -m bench.embeddings --model all-MiniLM-L6-v2-f16.gguf --rounds 3

Each row is a way to ask: one text a request from one client, from eight, and 32 texts a request.
The servers take turns in each round; ratios are taken inside a round and their median is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench.client import post_json
from bench.prompts import make_prompts
from bench.servers import LlamaServer, LmnbServe, Server, Setup

ROWS = {"1 client": (1, 1), "8 clients": (8, 1), "32 texts a request": (1, 32)}
"""(clients, texts in a request)"""
TEXTS = 192
SHORTEST, LONGEST = 10, 120
"""Tokens in a text: sentences and paragraphs, every length as often as another."""


class LmnbEmbedding(LmnbServe):
    async def load(self) -> None:
        body = {"model": str(self.setup.model), "threads": self.setup.threads}
        answer = await post_json(self.target, f"{self.prefix}/api/v1/models/load", body)
        self.model = answer["instance_id"]


class LlamaServerEmbedding(LlamaServer):
    def command(self) -> list[str]:
        return [*super().command(), "--embedding"]


SERVERS: tuple[type[Server], ...] = (LmnbEmbedding, LlamaServerEmbedding)


def make_texts(seed: int) -> Iterator[str]:
    """TEXTS of them, always the same for a seed."""
    lengths = random.Random(f"lengths {seed}")
    for index in range(TEXTS):
        tokens = lengths.randint(SHORTEST, LONGEST)
        yield from make_prompts(1, tokens=tokens, seed=TEXTS * seed + index)


async def rate(server: Server, clients: int, texts: int, seed: int) -> float:
    """Texts a second."""
    left = make_texts(seed)

    async def client() -> None:
        while batch := [text for _, text in zip(range(texts), left, strict=False)]:
            body = {"model": server.model, "input": batch, "encoding_format": "base64"}
            answer = await post_json(server.target, "/v1/embeddings", body)
            assert len(answer["data"]) == len(batch)

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return TEXTS / (time.perf_counter() - start)


async def compare(setup: Setup, rounds: int) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds):
        for kind in SERVERS[:: -1 if turn % 2 else 1]:
            async with kind(setup) as server:
                await rate(server, 1, 8, seed=1)  # warm
                for number, (row, (clients, texts)) in enumerate(ROWS.items()):
                    figure = await rate(server, clients, texts, seed=100 * turn + number + 2)
                    found.setdefault((row, server.name), []).append(figure)
                    print(f"round {turn + 1}  {row:20} {server.name:14} {figure:7.1f} texts/s")
    for row in ROWS:
        ours, theirs = (found[row, kind.name] for kind in SERVERS)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(
            f"{row:20} lmnb {statistics.median(ours):7.1f}  "
            f"llama-server {statistics.median(theirs):7.1f}  ratio {ratio:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--llama-server", help="path of the binary; default: the one on PATH")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    setup = Setup(
        model=given.model.resolve(),
        threads=given.threads,
        slots=8,
        context=4096,
        llama_server=given.llama_server,
    )
    asyncio.run(compare(setup, given.rounds))


if __name__ == "__main__":
    main()
