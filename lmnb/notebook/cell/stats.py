"""`--stats`: what an answer took, as a table."""

from __future__ import annotations

from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.display.tables import UNKNOWN, Table


def stats(reply: Reply) -> Table:
    """Tokens, times and speeds of the last round, and how it ended."""
    usage, timings = reply.usage, reply.timings
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    rows = [
        ("model", reply.model),
        ("prompt tokens", _count(usage.get("prompt_tokens"))),
        ("of them from the cache", _count(cached)),
        ("answer tokens", _count(usage.get("completion_tokens"))),
        ("of them thinking", _count(thought)),
        ("context", _count(timings.get("context_length"))),
        ("waited in the queue", _seconds(timings.get("queue_ms"))),
        ("reading the prompt", _seconds(timings.get("prompt_ms"))),
        ("first token after", _seconds(timings.get("first_token_ms"))),
        ("writing", _seconds(timings.get("predicted_ms"))),
        ("tokens per second", _speed(timings.get("predicted_per_second"))),
        ("rounds", str(len(reply.rounds) + 1)),
        ("tool calls", str(len(reply.calls))),
        ("finish reason", reply.finish_reason),
    ]
    return Table(("STATS", ""), [list(row) for row in rows])


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _seconds(milliseconds: float | None) -> str:
    return UNKNOWN if milliseconds is None else f"{milliseconds / 1000:.3f} s"


def _speed(speed: float | None) -> str:
    return UNKNOWN if speed is None else f"{speed:.1f}"
