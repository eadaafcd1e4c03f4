"""The events of a response whose model may call tools of MCP servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lmnb.api.openai.responses.writer import Event, Writer
from lmnb.api.openai.usage import add_usage
from lmnb.chat.message import ToolCall
from lmnb.errors import LmnbError
from lmnb.service.events import Finished
from lmnb.service.mcp.toolbox import Offer
from lmnb.service.toolloop import CallDone, CallRefused, LoopEvent, Started

__all__ = ["McpWriter"]


class McpWriter(Writer):
    """A call's item stays open until the tool has answered; other items may come in between."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._offers: Mapping[str, Offer] = {}
        self._lists: list[int] = []
        self._calls: dict[str, int] = {}
        """Places in the output, of lists that are awaited and of calls by their ids."""
        self._finished: list[Finished] = []

    def listing(self, labels: Iterable[str]) -> list[Event]:
        """These servers are asked what they offer."""
        start = len(self.history)
        for label in labels:
            self._open("mcp_list_tools", server_label=label, tools=[], error=None)
            self._say_item("response.mcp_list_tools.in_progress")
            self._lists.append(self._leave_open())
        return self.history[start:]

    def listed(self, offers: Mapping[str, Offer]) -> list[Event]:
        start = len(self.history)
        self._offers = offers
        for place in self._lists:
            item = self.resource["output"][place]
            label = item["server_label"]
            item["tools"] = [_tool_json(o) for o in offers.values() if o.server.label == label]
            self._end(place, "response.mcp_list_tools.completed", "completed")
        return self.history[start:]

    def unlisted(self, error: LmnbError) -> list[Event]:
        """One of them cannot be asked: the response has failed."""
        start = len(self.history)
        for place in self._lists:
            self.resource["output"][place]["error"] = error.message
            self._end(place, "response.mcp_list_tools.failed", "incomplete")
        return self.history[start:]

    def approved(self, request: Mapping[str, Any], call: ToolCall) -> list[Event]:
        """What was asked for in an earlier response is called now."""
        start = len(self.history)
        asked = {name: request[name] for name in ("server_label", "name")}
        self._open_mcp(call.id, **asked, approval_request_id=request["id"])
        self._add_arguments(call.arguments)
        self._close("completed")
        return self.history[start:]

    def write(self, event: LoopEvent) -> list[Event]:
        start = len(self.history)
        match event:
            case Started(generation):
                self.resource["model"] = generation.model
            case CallDone() | CallRefused():
                self._called(event)
            case Finished(reason):
                self._close("incomplete" if reason == "length" else "completed")
                self._call = -1
                self._finished.append(event)
            case _:
                super().write(event)
        return self.history[start:]

    def end(self) -> None:
        """There is no further answer."""
        last = self._finished[-1]
        usage = add_usage(enumerate(one.usage for one in self._finished))
        limit = self.resource["max_output_tokens"]
        if self.resource["output"][-1]["type"] == "mcp_call" and usage.completion_tokens == limit:
            last = replace(last, reason="length")  # nothing was left to say what came of it
        self._finish(replace(last, usage=usage))

    def _called(self, outcome: CallDone | CallRefused) -> None:
        place = self._calls.pop(outcome.call.id)
        item = self.resource["output"][place]
        if isinstance(outcome, CallDone) and not outcome.failed:
            item["output"] = outcome.text
            self._end(place, "response.mcp_call.completed", "completed")
        else:
            content = [{"type": "text", "text": outcome.text}]
            item["error"] = {"type": "mcp_tool_execution_error", "content": content}
            self._end(place, "response.mcp_call.failed", "failed")

    def _open_call(self, id: str, name: str) -> None:
        offer = self._offers.get(name)
        if offer is None:
            return super()._open_call(id, name)
        asked = {"server_label": offer.server.label, "name": offer.name}
        if offer.needs_approval:
            self._open("mcp_approval_request", **asked)
        else:
            self._open_mcp(id, **asked, approval_request_id=None)

    def _open_mcp(self, id: str, **asked: Any) -> None:
        self._open("mcp_call", **asked, output=None, error=None)
        self._calls[id] = len(self.resource["output"]) - 1
        self._say_item("response.mcp_call.in_progress")

    def _close(self, status: str) -> None:
        if self._item is not None and self._item["type"] == "mcp_call":
            self._end_arguments()
            self._leave_open()
        else:
            super()._close(status)

    def _stop(self, status: str) -> None:
        for place in self._calls.values():
            self.resource["output"][place]["status"] = "incomplete"
        super()._stop(status)

    def _leave_open(self) -> int:
        """Its place in the output."""
        self._item = None
        return len(self.resource["output"]) - 1

    def _end(self, place: int, event: str, status: str) -> None:
        item = self.resource["output"][place]
        item["status"] = status
        self._say(event, item_id=item["id"], output_index=place)
        self._say("response.output_item.done", output_index=place, item=item)


def _tool_json(offer: Offer) -> dict[str, Any]:
    described = {"name": offer.name, "description": offer.tool.description}
    return {**described, "input_schema": offer.tool.schema, "annotations": None}
