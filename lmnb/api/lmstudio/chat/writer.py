"""What happens in a chat, as LM Studio's events, and all of it as one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lmnb.api.lmstudio.chat.integrations import provider_info
from lmnb.chat.message import ToolCall
from lmnb.service.events import Finished, Progress, ReasoningDelta, TextDelta, ToolCallDelta
from lmnb.service.mcp.toolbox import Offer
from lmnb.service.toolloop import CallDone, CallRefused, LoopEvent, Started

__all__ = ["Step", "Writer"]

Step = dict[str, Any]
"""An event: its `type`, and more."""


class Writer:
    """`output` and `stats` are those of the answer, as far as it has come."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self.output: list[dict[str, Any]] = []
        self.finished: list[Finished] = []
        self._offers = offers
        self._reading = False
        self._open: str | None = None
        self._text: list[str] = []
        self._calls: list[ToolCall] = []

    @property
    def stats(self) -> dict[str, Any]:
        """The tokens that went in are those of the first prompt; what came out is all of it."""
        seconds = sum(one.timings.decode for one in self.finished)
        steps = sum(one.decode_steps for one in self.finished)
        written = sum(one.usage.completion_tokens for one in self.finished)
        first = self.finished[0] if self.finished else None
        return {
            "input_tokens": first.usage.prompt_tokens if first else 0,
            "total_output_tokens": written,
            "reasoning_output_tokens": sum(one.usage.reasoning_tokens for one in self.finished),
            "tokens_per_second": round(steps / seconds, 6) if seconds > 0 else 0.0,
            "time_to_first_token_seconds": round(first.timings.first_token, 6) if first else 0.0,
        }

    def write(self, event: LoopEvent) -> Iterator[Step]:
        if isinstance(event, Started):
            self._reading, self._calls = True, []
            yield {"type": "prompt_processing.start"}
            return
        if isinstance(event, Progress):
            yield {"type": "prompt_processing.progress", "progress": event.done / event.total}
            return
        if self._reading:
            self._reading = False
            yield {"type": "prompt_processing.progress", "progress": 1.0}
            yield {"type": "prompt_processing.end"}
        match event:
            case TextDelta(text):
                yield from self._delta("message", text)
            case ReasoningDelta(text):
                yield from self._delta("reasoning", text)
            case ToolCallDelta():
                yield from self.close()
                yield from self._call(event)
            case Finished():
                yield from self.close()
                yield from self._arguments()
                self.finished.append(event)
            case CallDone(call, arguments, output):
                said = {"tool": self._name(call), "arguments": arguments, "output": output}
                said["provider_info"] = self._provider(call.name)
                self.output.append({"type": "tool_call", **said})
                yield {"type": "tool_call.success", **said}
            case CallRefused(call, kind, reason):
                metadata: dict[str, Any] = {"type": kind, "tool_name": self._name(call)}
                if kind == "invalid_arguments":
                    metadata["provider_info"] = self._provider(call.name)
                refused = {"reason": reason, "metadata": metadata}
                self.output.append({"type": "invalid_tool_call", **refused})
                yield {"type": "tool_call.failure", **refused}

    def close(self) -> Iterator[Step]:
        """End the message, or the thinking, that is open."""
        if self._open is not None:
            kind, self._open = self._open, None
            self.output.append({"type": kind, "content": "".join(self._text)})
            yield {"type": f"{kind}.end"}

    def _delta(self, kind: str, text: str) -> Iterator[Step]:
        if not text:
            return
        if self._open != kind:
            yield from self.close()
            self._open, self._text = kind, []
            yield {"type": f"{kind}.start"}
        self._text.append(text)
        yield {"type": f"{kind}.delta", "content": text}

    def _call(self, event: ToolCallDelta) -> Iterator[Step]:
        if event.index == len(self._calls):
            yield from self._arguments()
            call = ToolCall(event.id or "", event.name or "", event.arguments)
            self._calls.append(call)
            if call.name in self._offers:
                provider = self._provider(call.name)
                said = {"tool": self._name(call), "provider_info": provider}
                yield {"type": "tool_call.start", **said}
        else:
            call = self._calls[event.index]
            arguments = call.arguments + event.arguments
            self._calls[event.index] = ToolCall(call.id, call.name, arguments)

    def _arguments(self) -> Iterator[Step]:
        """Of the call that was written last: they are complete."""
        if not self._calls or self._calls[-1].name not in self._offers:
            return
        call = self._calls[-1]
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except msgspec.MsgspecError:
            return  # it is refused
        said = {"tool": self._name(call), "arguments": arguments}
        yield {"type": "tool_call.arguments", **said, "provider_info": self._provider(call.name)}

    def _name(self, call: ToolCall) -> str:
        """What the tool's own server calls it."""
        offer = self._offers.get(call.name)
        return offer.name if offer else call.name

    def _provider(self, name: str) -> dict[str, str]:
        return provider_info(self._offers[name].server)
