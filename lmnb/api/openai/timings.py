"""What was measured of an answer, and of one that is still being written; llama-server's names."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from lmnb.service.events import Finished, Progress
from lmnb.service.instances import LoadedModel

__all__ = ["Stopwatch", "timings", "timings_json"]

Json = dict[str, Any]


def timings(_: LoadedModel, finished: Finished) -> Json:
    """llama-server's own key."""
    return {"timings": timings_json(finished)}


def timings_json(finished: Finished) -> Json:
    """With what the engine measured."""
    usage, timings = finished.usage, finished.timings
    return {
        **_rates(
            read=usage.prompt_tokens - usage.cached_tokens,
            reading=timings.prefill,
            cached=usage.cached_tokens,
            written=usage.completion_tokens,
            steps=finished.decode_steps,
            writing=timings.decode,
        ),
        "queue_ms": timings.queue * 1000,
        "first_token_ms": timings.first_token * 1000,
        "context_length": finished.context_length,
    }


class Stopwatch:
    """Follows one choice while it is computed."""

    def __init__(self) -> None:
        self._read = Progress(0, 0, 0)
        self._began: float | None = None

    def reads(self, progress: Progress) -> Json:
        """How far the prompt is."""
        self._read = progress
        done = {
            "total": progress.total,
            "cache": progress.cached,
            "processed": progress.done,
            "time_ms": progress.seconds * 1000,
        }
        return {"prompt_progress": done}

    def timings(self, written: int) -> Json | None:
        """So far, with that many tokens written; by this process's clock, where they arrive. None
        while nothing has been computed."""
        if not (written or self._read.total):
            return None
        now = perf_counter()
        if written and self._began is None:
            self._began = now
        return _rates(
            read=self._read.done - self._read.cached,
            reading=self._read.seconds,
            cached=self._read.cached,
            written=written,
            steps=max(0, written - 1),
            writing=now - self._began if self._began is not None else 0.0,
        )


def _rates(
    *, read: int, reading: float, cached: int, written: int, steps: int, writing: float
) -> Json:
    """`read` are the tokens that were computed, not found in the cache; `steps` the ones written
    that took time of their own."""
    return {
        "cache_n": cached,
        "prompt_n": read,
        "prompt_ms": reading * 1000,
        "prompt_per_token_ms": reading / read * 1000 if read else 0.0,
        "prompt_per_second": read / reading if reading > 0 else 0.0,
        "predicted_n": written,
        "predicted_ms": writing * 1000,
        "predicted_per_token_ms": writing / steps * 1000 if steps else 0.0,
        "predicted_per_second": steps / writing if writing > 0 else 0.0,
    }
