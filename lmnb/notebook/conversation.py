"""What was said so far. A turn enters whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

ChatMessage = dict[str, str]


@dataclass
class Conversation:
    """System message and turns of the `%%lms` cells of one notebook."""

    system: str = ""
    model: str = ""
    """The model that answered last."""
    turns: list[tuple[str, str]] = field(default_factory=list)

    def messages(
        self, prompt: str, *, system: str = "", default_system: str = "", history: bool = True
    ) -> list[ChatMessage]:
        """What to send for `prompt`. A new `system` message takes the place of the old one."""
        system = system or (self.system if history else "") or default_system
        messages = [{"role": "system", "content": system}] if system else []
        for asked, answered in self.turns if history else ():
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": answered})
        return [*messages, {"role": "user", "content": prompt}]

    def add(self, prompt: str, answer: str, *, model: str, system: str = "") -> None:
        """Remember a turn. An empty answer is none: roles would no longer alternate."""
        self.system = system or self.system
        self.model = model
        if answer.strip():
            self.turns.append((prompt, answer))

    def reset(self) -> int:
        """Forget everything. Returns how many turns there were."""
        count = len(self.turns)
        self.system, self.turns = "", []
        return count
