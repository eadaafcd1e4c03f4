"""A tool call, from the model's wish to what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Call:
    """`outcome` is `asked` until there is a `result`, the text that the model is given."""

    id: str
    name: str
    arguments: str
    """A JSON object, as the model wrote it."""
    outcome: Literal["asked", "done", "failed", "refused"] = "asked"
    result: str = ""

    def __str__(self) -> str:
        """As Python would write it: `weather(city="Paris")`."""
        try:
            values = json.loads(self.arguments or "{}")
        except ValueError:
            values = None
        if not isinstance(values, dict):
            return f"{self.name}({' '.join(self.arguments.split())})"
        written = (f"{key}={json.dumps(v, ensure_ascii=False)}" for key, v in values.items())
        return f"{self.name}({', '.join(written)})"

    def to_message(self) -> dict[str, Any]:
        """The call as part of the assistant's message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}

    def result_message(self) -> dict[str, Any]:
        """The result, as the message that follows."""
        return {"role": "tool", "tool_call_id": self.id, "content": self.result}
