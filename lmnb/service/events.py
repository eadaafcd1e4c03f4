"""What a generation says, whatever the dialect: typed, small, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lmnb.engine.events import Timings, TokenLogprob

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Exact token counts. `cached_tokens` are part of `prompt_tokens`, `reasoning_tokens` of
    `completion_tokens`."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Progress:
    """Prompt reading: `done` of `total` tokens, `seconds` after its beginning."""

    done: int
    total: int
    cached: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PromptScored:
    """The prompt's tokens with their log-probabilities, where they were asked for. The first one's
    is NaN: nothing comes before it."""

    tokens: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """`id` and `name` come once, with the first delta of call number `index`."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    reason: FinishReason
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    detail: str = ""
    """The engine's own word for it: `stop`, `stop_string`, `length`, `context`, `cancelled`."""
    stop_string: str | None = None
    seed: int = 0
    context_length: int = 0
    """Tokens the sequence could have held: with `usage`, how full the context is."""

    @property
    def decode_steps(self) -> int:
        """Tokens that took time of their own: the first comes of the prompt's last step."""
        return max(0, self.usage.completion_tokens - 1)


GenerationEvent = Progress | PromptScored | TextDelta | ReasoningDelta | ToolCallDelta | Finished
