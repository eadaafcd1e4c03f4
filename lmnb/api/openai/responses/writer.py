"""Generation events to the Responses API's events, in order and numbered."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec

from lmnb.api.openai.responses.ids import item_id, new_id
from lmnb.api.openai.responses.resource import Resource, error_fields, error_json, usage_json
from lmnb.api.openai.responses.sealed import seal
from lmnb.api.openai.usage import chat_logprobs
from lmnb.engine.events import TokenLogprob
from lmnb.errors import LmnbError
from lmnb.service.events import Finished, GenerationEvent, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["Event", "Writer"]

encode = msgspec.json.encode
DELTAS = {
    "message": "response.output_text.delta",
    "reasoning": "response.reasoning_text.delta",
}
ARGUMENTS = {
    "function_call": "response.function_call_arguments",
    "mcp_call": "response.mcp_call_arguments",
}


class Event(NamedTuple):
    """`data` is the JSON; a transport puts its frame around it."""

    type: str
    data: bytes

    def sse(self) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (self.type.encode(), self.data)


class Writer:
    """Keeps `resource`, the response object, as it is after each event.

    One item is open at a time: a delta of another kind closes it and opens the next.
    """

    def __init__(
        self, resource: Resource, *, first_item: int, logprobs: bool, sealed_reasoning: bool
    ) -> None:
        self.resource = resource
        self.history: list[Event] = []
        self._first_item = first_item
        self._logprobs = logprobs
        self._sealed_reasoning = sealed_reasoning
        self._item: dict[str, Any] | None = None
        self._call = -1
        self._text: list[str] = []
        self._tokens: list[TokenLogprob] = []
        self._head = b""

    # -- the response as a whole

    def opening(self) -> list[Event]:
        start = len(self.history)
        self._say_status("response.created")
        if self.resource["status"] == "queued":
            self._say_status("response.queued")
        self.resource["status"] = "in_progress"
        self._say_status("response.in_progress")
        return self.history[start:]

    def write(self, event: GenerationEvent) -> list[Event]:
        """The events for one step."""
        start = len(self.history)
        if type(event) is TextDelta:
            self._delta("message", event.text, event.logprobs)
        elif type(event) is ReasoningDelta:
            self._delta("reasoning", event.text, ())
        elif type(event) is ToolCallDelta:
            self._call_delta(event)
        elif type(event) is Finished:
            self._finish(event)
        return self.history[start:]

    def closing(self) -> list[Event]:
        """The last event of a response that came to its end."""
        return [self._say_status(f"response.{self.resource['status']}")]

    def fail(self, error: LmnbError) -> list[Event]:
        """In both specifications' forms, and then the failed response."""
        start = len(self.history)
        self._say("error", **error_fields(error))
        self._stop("failed")
        self.resource["error"] = error_json(error)
        self._say_status("response.failed")
        return self.history[start:]

    def cancel(self) -> None:
        """OpenAI's streams of a cancelled response just end."""
        self._stop("cancelled")

    # -- items

    def _delta(self, kind: str, text: str, logprobs: tuple[TokenLogprob, ...]) -> None:
        item = self._item
        is_new = item is None or item["type"] != kind
        if not text and (is_new or not (logprobs and self._logprobs)):
            return
        if is_new:
            self._close("completed")
            self._open(kind)
        self._text.append(text)
        more = b""
        if kind == "message":
            more = b',"logprobs":[]'
            if logprobs and self._logprobs:
                self._tokens += logprobs
                more = b',"logprobs":' + encode(chat_logprobs(logprobs)["content"])
        # A plain token is the common event: everything before its text is made once.
        numbered = b'%b%d,"delta":%b%b}' % (self._head, len(self.history), encode(text), more)
        self.history.append(Event(DELTAS[kind], numbered))

    def _call_delta(self, event: ToolCallDelta) -> None:
        if event.index != self._call:
            self._close("completed")
            self._call = event.index
            self._open_call(event.id or new_id("call"), event.name or "")
        if event.arguments:
            self._add_arguments(event.arguments)

    def _open_call(self, id: str, name: str) -> None:
        self._open("function_call", call_id=id, name=name)

    def _add_arguments(self, text: str) -> None:
        assert self._item is not None
        self._text.append(text)
        if said := ARGUMENTS.get(self._item["type"]):
            self._say_item(f"{said}.delta", delta=text)

    def _end_arguments(self) -> None:
        assert self._item is not None
        text = self._item["arguments"] = "".join(self._text)
        if said := ARGUMENTS.get(self._item["type"]):
            self._say_item(f"{said}.done", name=self._item["name"], arguments=text)

    def _open(self, kind: str, **fields: Any) -> None:
        output: list[Any] = self.resource["output"]
        id = item_id(kind, self.resource["id"], self._first_item + len(output))
        item: dict[str, Any] = {"id": id, "type": kind, "status": "in_progress", **fields}
        if kind == "message":
            item |= {"role": "assistant", "content": []}
        elif kind == "reasoning":
            item |= {"summary": [], "content": []}
        elif "name" in item:
            item["arguments"] = ""
        output.append(item)
        self._item, self._text, self._tokens = item, [], []
        self._say("response.output_item.added", output_index=len(output) - 1, item=item)
        if kind not in DELTAS:
            return
        self._say_item("response.content_part.added", content_index=0, part=self._part())
        place = {"item_id": id, "output_index": len(output) - 1, "content_index": 0}
        head = encode({"type": DELTAS[kind], **place})
        self._head = head.removesuffix(b"}") + b',"sequence_number":'

    def _close(self, status: str) -> None:
        """Finish the open item, if there is one."""
        item = self._item
        if item is None:
            return
        text = "".join(self._text)
        if "arguments" in item:
            self._end_arguments()
        else:
            part = self._part()
            done = {"content_index": 0, "text": text}
            if item["type"] == "message":
                logprobs = part["logprobs"]
                self._say_item("response.output_text.done", **done, logprobs=logprobs)
            else:
                self._say_item("response.reasoning_text.done", **done)
                if self._sealed_reasoning:
                    item["encrypted_content"] = seal(text)
            self._say_item("response.content_part.done", content_index=0, part=part)
            item["content"] = [part]
        item["status"] = status
        index = len(self.resource["output"]) - 1
        self._say("response.output_item.done", output_index=index, item=item)
        self._item = None

    def _part(self) -> dict[str, Any]:
        """The open item's content."""
        assert self._item is not None
        text = "".join(self._text)
        if self._item["type"] == "reasoning":
            return {"type": "reasoning_text", "text": text}
        logprobs = chat_logprobs(self._tokens)["content"]
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def _finish(self, finished: Finished) -> None:
        resource = self.resource
        if not resource["output"]:
            self._open("message")  # an empty answer is an answer
        status = "incomplete" if finished.reason == "length" else "completed"
        self._close(status)
        resource["usage"] = usage_json(finished.usage)
        resource["status"] = status
        if status == "completed":
            resource["completed_at"] = int(time.time())
        else:
            resource["incomplete_details"] = {"reason": "max_output_tokens"}

    def _stop(self, status: str) -> None:
        """What was begun stays, and says that it is not whole."""
        item = self._item
        if item is not None:
            item["status"] = "incomplete"
            if "arguments" in item:
                item["arguments"] = "".join(self._text)
            else:
                item["content"] = [self._part()]
            self._item = None
        self.resource["status"] = status

    # -- events

    def _say(self, type: str, **fields: Any) -> Event:
        head = {"type": type, "sequence_number": len(self.history)}
        event = Event(type, encode({**head, **fields}))
        self.history.append(event)
        return event

    def _say_item(self, type: str, **fields: Any) -> None:
        assert self._item is not None
        index = len(self.resource["output"]) - 1
        self._say(type, item_id=self._item["id"], output_index=index, **fields)

    def _say_status(self, type: str) -> Event:
        return self._say(type, response=self.resource)
