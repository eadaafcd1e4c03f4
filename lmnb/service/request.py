"""What a dialect hands to the service: one generation, one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lmnb.chat.grammar import ResponseFormat
from lmnb.chat.message import Message
from lmnb.chat.tools import AUTO, Tool, ToolChoice
from lmnb.engine.options import Sampling, TokenRules


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """Exactly one of `messages`, `text` and `tokens` is set.

    `messages` go through the model's chat template and its answer through the parser; `text` and
    `tokens` are completed as they are.
    """

    model: str
    messages: tuple[Message, ...] | None = None
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    """None: none (but for `rules.ids`). n: each token's own and the n best alternatives."""
    echo: bool = False
    """With `text` or `tokens`: the generation says the prompt as text."""
    score_prompt: bool = False
    """The prompt's log-probabilities too."""
    suffix: str = ""
    """With `text` or `tokens`: fill in what stands before this."""
    ignore_eos: bool = False
    progress: bool = False
    """`Progress` comes from the prompt's first token to its last, not only in between."""
    rules: TokenRules = field(default_factory=TokenRules)
    thinking_tokens: int | None = None
    """How long a model that thinks may do so, at most. None: as it likes."""
    messages_field: str = "messages"
    """What the client called them."""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the chat template (`enable_thinking`, `reasoning_effort`, ...)."""
    response_format: ResponseFormat | None = None
    """What the answer must be. A model that thinks does that first, as it likes."""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = AUTO
    add_generation_prompt: bool = True
    """The prompt ends with what begins an answer."""
    continue_final: bool = False
    """The last message is the assistant's and is to be continued."""
    ttl: float | None = None
    """Seconds of idleness after which a model loaded for this request may go."""
