"""From samples to figures. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.client import Sample


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear interpolation between the nearest ranks, as numpy's default. NaN for no values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


@dataclass(frozen=True)
class Spread:
    """Three percentiles, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of_seconds(cls, values: Sequence[float]) -> Spread:
        p50, p95, p99 = (round(percentile(values, p) * 1000, 3) for p in (50, 95, 99))
        return cls(p50, p95, p99)


@dataclass(frozen=True)
class Summary:
    """One run of the load generator."""

    requests: int
    errors: tuple[str, ...]
    wall_seconds: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    counted_by: str
    """`usage`: the server counted the tokens. `events`: it did not, one event is taken for one."""
    output_tokens_per_second: float
    """All output tokens over the wall time, from the first request to the last answer."""
    decode_tokens_per_second: float
    """Of one stream, after its first token: the median over the requests."""
    first_token_ms: Spread
    gap_ms: Spread
    """Between events with text. An event may carry more than one token."""
    request_ms: Spread
    peak_pss_mib: float | None = None


def decode_rate(sample: Sample) -> float | None:
    """Tokens per second of one stream after its first token."""
    if len(sample.texts) < 2 or sample.tokens < 2:
        return None
    return (sample.tokens - 1) / (sample.texts[-1] - sample.texts[0] or 1e-9)


def summarise(samples: Sequence[Sample], *, peak_pss_mib: float | None = None) -> Summary:
    """Errors are counted and left out of every rate and latency; their time is in the wall time."""
    good = [sample for sample in samples if sample.error is None]
    wall = (
        max(sample.ended for sample in samples) - min(sample.started for sample in samples)
        if samples
        else 0.0
    )
    tokens = sum(sample.tokens for sample in good)
    return Summary(
        requests=len(samples),
        errors=tuple(sample.error for sample in samples if sample.error is not None),
        wall_seconds=round(wall, 4),
        prompt_tokens=sum(sample.prompt_tokens or 0 for sample in good),
        cached_tokens=sum(sample.cached_tokens or 0 for sample in good),
        output_tokens=tokens,
        counted_by=(
            "usage" if all(sample.completion_tokens is not None for sample in good) else "events"
        ),
        output_tokens_per_second=tokens / wall if wall else float("nan"),
        decode_tokens_per_second=median(
            [rate for sample in good if (rate := decode_rate(sample)) is not None]
        ),
        first_token_ms=Spread.of_seconds(
            [sample.first_token for sample in good if sample.first_token is not None]
        ),
        gap_ms=Spread.of_seconds([gap for sample in good for gap in sample.gaps]),
        request_ms=Spread.of_seconds([sample.ended - sample.started for sample in good]),
        peak_pss_mib=peak_pss_mib,
    )


def to_json(value: Any) -> Any:
    """A dataclass or plain value as JSON can hold it: NaN, which JSON has not, becomes null."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
