"""Tool calls as chat completions write them: streamed piece by piece, and whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lmnb.service.events import ToolCallDelta

__all__ = ["ToolCalls"]


@dataclass(slots=True)
class ToolCalls:
    """The calls of one choice. `legacy`: asked for as `functions`, answered as `function_call`."""

    legacy: bool = False
    _calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def finish_reason(self) -> str:
        return "function_call" if self.legacy else "tool_calls"

    def delta(self, event: ToolCallDelta) -> dict[str, Any]:
        """A streamed message's piece. Id, type and name come once: SDKs join what comes twice."""
        function: dict[str, Any] = {"arguments": event.arguments}
        if event.name is not None:
            function = {"name": event.name, **function}
        if self.legacy:
            return {"function_call": function}
        head: dict[str, Any] = {"index": event.index}
        if event.id is not None:
            head |= {"id": event.id, "type": "function"}
        return {"tool_calls": [{**head, "function": function}]}

    def collect(self, event: ToolCallDelta) -> None:
        if event.index == len(self._calls):
            function = {"name": event.name, "arguments": ""}
            self._calls.append({"id": event.id, "type": "function", "function": function})
        self._calls[event.index]["function"]["arguments"] += event.arguments

    def message(self) -> dict[str, Any]:
        """The keys of a whole message; none without calls."""
        if not self._calls:
            return {}
        if self.legacy:
            return {"function_call": self._calls[0]["function"]}
        return {"tool_calls": self._calls}
