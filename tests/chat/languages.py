"""Which texts a grammar allows: asked of llguidance itself, byte by byte."""

from __future__ import annotations

import functools

from llguidance import LLMatcher, LLTokenizer


@functools.cache
def _bytes() -> LLTokenizer:
    return LLTokenizer("byte")


class Language:
    def __init__(self, grammar: str) -> None:
        self._matcher = LLMatcher(_bytes(), grammar, log_level=0)
        assert not self._matcher.is_error(), self._matcher.get_error()

    def __contains__(self, text: str) -> bool:
        """Whether the whole text is allowed, and may end there."""
        self._matcher.reset()
        data = list(text.encode())
        return self._matcher.try_consume_tokens(data) == len(data) and self._matcher.is_accepting()
