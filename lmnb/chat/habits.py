"""What one chat template wants of conversations and others do not: found out by showing it some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Habits", "Show", "habits_of"]

Turn = Mapping[str, Any]
Show = Callable[[Sequence[Turn]], str]
"""What the template makes of a conversation; nothing, if it refuses it."""

PROBE = "lmnb-probe"
LATE = f"{PROBE}-late"


@dataclass(frozen=True, slots=True)
class Habits:
    content_in_parts: bool
    """Content must be a list of parts: as a plain string it does not appear."""
    empty_is_null: bool
    """Calls only appear if the content beside them is null: so with DeepSeek R1."""
    forgets_system: bool
    """Of two system messages, one in front and one later, either does not appear."""
    tools_in_message: bool
    """It looks for tools, as text, in the system message: so Phi-4 mini."""


def habits_of(source: str, show: Show) -> Habits:
    return Habits(
        content_in_parts=_wants_parts(show),
        empty_is_null="tool_calls" in source and _wants_null(show),
        forgets_system=_loses_system(show),
        tools_in_message="message['tools']" in source,
    )


def _wants_parts(show: Show) -> bool:
    def appears(content: object) -> bool:
        return PROBE in show([{"role": "user", "content": content}])

    return not appears(PROBE) and appears([{"type": "text", "text": PROBE}])


def _wants_null(show: Show) -> bool:
    function = {"name": PROBE, "arguments": "{}"}
    calls = [{"id": "", "type": "function", "function": function}]

    def appears(content: str | None) -> bool:
        return PROBE in show([{"role": "assistant", "content": content, "tool_calls": calls}])

    return not appears("") and appears(None)


def _loses_system(show: Show) -> bool:
    talk = [("system", PROBE), ("user", ""), ("assistant", ""), ("system", LATE), ("user", "")]
    text = show([{"role": role, "content": content} for role, content in talk])
    return bool(text) and (LATE not in text or PROBE not in text.replace(LATE, ""))
