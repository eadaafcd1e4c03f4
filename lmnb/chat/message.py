"""The one internal form of a conversation, whatever dialect it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lmnb.chat.image import Image

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call an assistant made. `arguments` is the JSON text, as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """`developer` has become `system`, `function` has become `tool`; content parts are joined."""

    role: Role
    content: str
    name: str | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()
    """Whose marks are in `content`."""

    @property
    def is_begun(self) -> bool:
        """Whether it may be the beginning of an answer that is to go on."""
        return self.role == "assistant" and bool(self.content) and not self.tool_calls
