"""The log-probabilities of `/v1/completions`: four arrays instead of objects."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import msgspec

from lmnb.api.openai.usage import IMPOSSIBLE, TokenName, token_text
from lmnb.engine.events import Alternative, TokenLogprob

__all__ = ["LegacyLogprobs", "mean_logprob"]


class LegacyLogprobs:
    """`text_offset` counts characters from the beginning of the choice's text, over all its parts."""

    def __init__(self, name: TokenName = token_text) -> None:
        self._name = name
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def prompt(self, tokens: Sequence[TokenLogprob], text: str | None) -> dict[str, Any]:
        """An echoed prompt's; `text`, if it came as text. Its first token has no log-probability."""
        arrays = self.write(tokens if text is None else _aligned(tokens, text))
        if arrays["tokens"]:
            arrays["token_logprobs"][0] = arrays["top_logprobs"][0] = None
        return arrays

    def write(self, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(self._decoder.decode(token.bytes))
        return {
            "tokens": [self._name(token) for token in tokens],
            "token_logprobs": [_chance(token) for token in tokens],
            "top_logprobs": [self._best(token) for token in tokens],
            "text_offset": offsets,
        }

    def _best(self, token: TokenLogprob) -> dict[str, float]:
        """The token itself, as OpenAI has it, and the best alternatives."""
        best = {self._name(other): _chance(other) for other in reversed(token.top)}
        return {self._name(token): _chance(token), **best}


def mean_logprob(tokens: Sequence[TokenLogprob]) -> float:
    """What `best_of` compares."""
    return sum(map(_chance, tokens)) / len(tokens) if tokens else IMPOSSIBLE


def _aligned(tokens: Sequence[TokenLogprob], text: str) -> Sequence[TokenLogprob]:
    """The tokens of exactly this text: without the BOS that the engine put before it, and without
    the space that SentencePiece does."""
    data = text.encode("utf-8", "replace")
    if tokens and not data.startswith(tokens[0].bytes.removeprefix(b" ")):
        tokens = tokens[1:]
    if tokens and tokens[0].bytes.startswith(b" ") and not data.startswith(b" "):
        first = msgspec.structs.replace(tokens[0], bytes=tokens[0].bytes[1:])
        tokens = [first, *tokens[1:]]
    return tokens


def _chance(token: TokenLogprob | Alternative) -> float:
    return max(token.logprob, IMPOSSIBLE)
