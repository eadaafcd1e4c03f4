"""What was said so far. A turn enters whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmnb.notebook.chat.exchange import Message
from lmnb.notebook.chat.reply import Reply


@dataclass(frozen=True)
class Exchanged:
    """One turn: the user's message, tool calls and results if there were any, the answer."""

    messages: tuple[Message, ...]
    model: str
    usage: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Conversation:
    """System message and turns of the `%%lms` cells of one notebook."""

    system: str = ""
    model: str = ""
    """The model that answered last."""
    turns: list[Exchanged] = field(default_factory=list)

    def messages(
        self, message: Message, *, system: str = "", default_system: str = "", history: bool = True
    ) -> list[Message]:
        """What to send with `message`. A new `system` message takes the place of the old one."""
        system = system or (self.system if history else "") or default_system
        before = self.so_far(system) if history else _system(system)
        return [*before, message]

    def so_far(self, system: str = "") -> list[Message]:
        """All of it, in OpenAI's form."""
        said = [message for turn in self.turns for message in turn.messages]
        return [*_system(system or self.system), *said]

    def add(self, messages: Sequence[Message], reply: Reply, *, system: str = "") -> None:
        """Remember a turn. An empty answer is none: roles would no longer alternate."""
        self.system = system or self.system
        self.model = reply.model or self.model
        if reply.text.strip():
            turn = Exchanged(tuple(messages), reply.model, reply.usage, reply.timings)
            self.turns.append(turn)

    def reset(self) -> int:
        """Forget everything. Returns how many turns there were."""
        count = len(self.turns)
        self.system, self.turns = "", []
        return count


def texts(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    """The role and the text of each message; pictures are named, not shown."""
    for message in messages:
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = "\n".join(part.get("text") or f"[{part['type']}]" for part in content)
        yield message["role"], content


def _system(text: str) -> list[Message]:
    return [{"role": "system", "content": text}] if text else []
