"""Calls that the server made, as the model sees them: calls of functions, and their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lmnb.errors import InvalidRequest

__all__ = ["approved_requests", "as_functions"]

Item = dict[str, Any]
REFUSED = "The user did not approve this call."
UNFINISHED = "This call was not finished."
ANSWER = "mcp_approval_response"


def as_functions(items: Iterable[Item]) -> Iterator[Item]:
    """Items without any of MCP's. What somebody approved is not here: the call that was made of it
    is an item of its own. What nobody has answered yet is nothing to the model."""
    requests: dict[str, Item] = {}
    for item in items:
        match item["type"]:
            case "mcp_list_tools":
                pass
            case "mcp_call":
                yield from _called(item, _said(item))
            case "mcp_approval_request":
                requests[item["id"]] = item
            case "mcp_approval_response":
                request = requests.get(item["approval_request_id"])
                if request and not item["approve"]:
                    reason = f" {item['reason']}" if item["reason"] else ""
                    yield from _called(request, REFUSED + reason)
            case _:
                yield item


def approved_requests(history: Iterable[Item], input: Sequence[Item]) -> list[Item]:
    """The requests that `input` approves, and of which no call was made. Raises InvalidRequest where
    it answers what nobody asked, or what was answered before."""
    answered = {one["approval_request_id"] for one in input if one["type"] == ANSWER}
    open_requests: dict[str, Item] = {}
    approved: dict[str, Item] = {}
    for item in (*history, *input):
        if item["type"] == "mcp_approval_request":
            open_requests[item["id"]] = item
        elif item["type"] == "mcp_call":
            approved.pop(item["approval_request_id"], None)
        elif item["type"] == ANSWER:
            id = item["approval_request_id"]
            request = open_requests.pop(id, None)
            if request and item["approve"]:
                approved[id] = request
            elif request is None and id in answered:
                raise InvalidRequest(
                    f"No approval request '{id}' waits for an answer.", param="input"
                )
    return [request for id, request in approved.items() if id in answered]


def _called(call: Item, output: str) -> Iterator[Item]:
    made = {"call_id": call["id"], "name": call["name"], "arguments": call["arguments"]}
    yield {"type": "function_call", **made}
    yield {"type": "function_call_output", "call_id": call["id"], "output": output}


def _said(item: Item) -> str:
    if item["output"] is not None:
        return str(item["output"])
    error = item["error"]
    if isinstance(error, dict):
        parts = error.get("content") or [{"text": error.get("message")}]
        texts = [part.get("text") for part in parts if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str)) or UNFINISHED
    return error if isinstance(error, str) else UNFINISHED
