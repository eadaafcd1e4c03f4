"""Usage and log-probabilities, as OpenAI writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lmnb.engine.events import Alternative, TokenLogprob
from lmnb.service.events import Finished, Usage
from lmnb.service.instances import LoadedModel

__all__ = [
    "IMPOSSIBLE",
    "Figures",
    "TokenName",
    "add_usage",
    "chat_logprobs",
    "token_number",
    "token_text",
    "usage_json",
]

IMPOSSIBLE = -9999.0
"""OpenAI's number for a token that could not be: JSON has no -inf."""


def add_usage(usages: Iterable[tuple[int, Usage]]) -> Usage:
    """The usage of a whole answer, from (number of its prompt, usage) of each choice.

    A prompt that several choices share counts once.
    """
    prompts: dict[int, Usage] = {}
    completion = reasoning = 0
    for prompt, usage in usages:
        prompts.setdefault(prompt, usage)
        completion += usage.completion_tokens
        reasoning += usage.reasoning_tokens
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in prompts.values()),
        cached_tokens=sum(usage.cached_tokens for usage in prompts.values()),
        completion_tokens=completion,
        reasoning_tokens=reasoning,
    )


def usage_json(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            # A `prediction` is not followed: none of its tokens is taken, none is charged.
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


Figures = Callable[[LoadedModel, Finished], dict[str, Any]]
"""What was measured, by what: further keys of an answer, and of a stream's last chunks."""


TokenName = Callable[[TokenLogprob | Alternative], str]


def token_text(token: TokenLogprob | Alternative) -> str:
    return token.bytes.decode("utf-8", "replace")


def token_number(token: TokenLogprob | Alternative) -> str:
    """vLLM's name for it, where texts are not told apart."""
    return f"token_id:{token.token}"


def chat_logprobs(tokens: Sequence[TokenLogprob], name: TokenName = token_text) -> dict[str, Any]:

    def one(token: TokenLogprob | Alternative) -> dict[str, Any]:
        return {
            "token": name(token),
            "logprob": max(token.logprob, IMPOSSIBLE),
            "bytes": list(token.bytes),
        }

    return {
        "content": [
            {**one(token), "top_logprobs": [one(other) for other in token.top]} for token in tokens
        ],
        "refusal": None,
    }
