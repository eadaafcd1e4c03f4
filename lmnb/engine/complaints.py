"""What llguidance has to say against a grammar, as a client should hear it."""

from __future__ import annotations

import re

from llguidance import LLMatcher

from lmnb.errors import InvalidRequest

MAX_REASON = 300
_EXCERPT = re.compile(r" *\d+ \| | *\^$")
_UNMEETABLE = ("NoExtensionBias", "no text can meet it")
_PLACE = re.compile(r"^(at )?\d+\(\d+\): ")


def too_complex(matcher: LLMatcher) -> InvalidRequest:
    """What a matcher says that has met one of its limits on the way."""
    return InvalidRequest(
        f"The grammar became too complex: {_reason(matcher.get_error())}.", param="constraint"
    )


def refused(why: str) -> InvalidRequest:
    """For a grammar that cannot be: `why` in llguidance's words."""
    return InvalidRequest(f"The grammar cannot be used: {_reason(why)}.", param="constraint")


def _reason(message: str) -> str:
    """llguidance's own words, without its excerpt of the grammar."""
    lines = [line for line in message.splitlines() if not _EXCERPT.match(line)]
    words = _PLACE.sub("", " ".join(lines)).removeprefix("failed to compile JSON schema: ")
    words = words.replace("<non-verbose/>", "").replace(*_UNMEETABLE)
    words = " ".join(words.split()).rstrip(".")
    if len(words) <= MAX_REASON:
        return words
    return f"{words[: MAX_REASON // 2]} … {words[-MAX_REASON // 2 :]}"
