"""How much of a model's context is used, and what to say before it runs out. Nothing is ever cut."""

from __future__ import annotations

from lmnb.errors import ContextLengthExceeded

NEARLY_FULL = 0.8
WAYS_OUT = "`%lms reset` starts a new conversation, `%lms load NAME -c N` makes more room"


def check(model: str, count: int, context: int) -> None:
    """Raises ContextLengthExceeded for a conversation of `count` tokens that does not fit."""
    if count >= context:
        raise ContextLengthExceeded(
            f"This message, with the conversation before it, has {count:,} tokens; {model} has "
            f"room for {context:,}. Nothing was sent. {WAYS_OUT}, `--no-history` asks beside the "
            "conversation."
        )


def warning(used: int, context: int, max_tokens: int | None = None) -> str:
    """What to say of a context of which `used` tokens are taken; empty where there is room."""
    if not context or used <= context * NEARLY_FULL:
        left = context - used
        if context and max_tokens and max_tokens > left:
            return f"only {left:,} tokens are left for an answer of up to {max_tokens:,}"
        return ""
    share, left = used / context, max(context - used, 0)
    return f"the context is {share:.0%} full, {left:,} tokens are left: {WAYS_OUT}"
