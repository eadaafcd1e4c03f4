"""`stats`, `model_info` and `runtime`: what version 0 adds to OpenAI's answers."""

from __future__ import annotations

import platform
import sys
from typing import Any

from lmnb.api.openai.timings import timings_json
from lmnb.service.events import Finished
from lmnb.service.instances import LoadedModel

__all__ = ["figures", "tokens_per_second"]

STOP_REASONS = {
    "stop": "eosFound",
    "stop_string": "stopStringFound",
    "length": "maxPredictedTokensReached",
    "context": "contextLengthReached",
    "cancelled": "userStopped",
}


def figures(model: LoadedModel, finished: Finished) -> dict[str, Any]:
    """Times are in seconds (but for `timings`, which is llama-server's)."""
    info, facts = model.record.info, model.engine.facts
    called = finished.reason == "tool_calls"
    device = "gpu" if facts.gpu_layers else "cpu"
    return {
        "timings": timings_json(finished),
        "stats": {
            "tokens_per_second": tokens_per_second(finished),
            "time_to_first_token": round(finished.timings.first_token, 6),
            "generation_time": round(finished.timings.decode, 6),
            "stop_reason": "toolCalls" if called else STOP_REASONS[finished.detail],
        },
        "model_info": {
            "arch": info.architecture,
            "quant": info.quantization,
            "format": "gguf",
            "context_length": facts.context_length,
        },
        "runtime": {
            "name": f"llama.cpp-{sys.platform}-{platform.machine().lower()}-{device}",
            "version": facts.llama_cpp,
            "supported_formats": ["gguf"],
        },
    }


def tokens_per_second(finished: Finished) -> float:
    """Written, not read."""
    seconds = finished.timings.decode
    return round(finished.decode_steps / seconds, 6) if seconds > 0 else 0.0
