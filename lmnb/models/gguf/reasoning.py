"""Whether a model thinks before it answers, and what can be said to it about that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lmnb.models.gguf.info import ModelInfo

__all__ = ["ReasoningChoice", "ReasoningOptions", "reasoning_options"]

ReasoningChoice = Literal["off", "low", "medium", "high", "on"]
_SWITCH = re.compile(r"\benable_thinking\b|\b(?:el)?if\s+(?:not\s+)?thinking\b")
_EFFORT = re.compile(r"\breasoning_effort\b")


@dataclass(frozen=True, slots=True)
class ReasoningOptions:
    """In LM Studio's words."""

    allowed: tuple[ReasoningChoice, ...]
    default: ReasoningChoice


def reasoning_options(info: ModelInfo) -> ReasoningOptions | None:
    """What the chat template looks for: a switch, an effort, or neither. None: it never thinks."""
    if not info.reasoning:
        return None
    template = info.chat_template or ""
    allowed: tuple[ReasoningChoice, ...] = ()
    if _SWITCH.search(template):
        allowed = ("off", "on")
    if _EFFORT.search(template):
        return ReasoningOptions((*allowed[:1], "low", "medium", "high", *allowed[1:]), "medium")
    return ReasoningOptions(allowed or ("on",), "on")
