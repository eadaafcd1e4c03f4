"""A chat that the server remembers: kept as the Responses API keeps its own, so that either can go
on from the other."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

from lmnb.api.lmstudio.chat.request import NativeChatRequest
from lmnb.api.openai.responses.context import Context, find_context
from lmnb.api.openai.responses.ids import item_id
from lmnb.api.openai.responses.messages import to_messages
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.api.openai.responses.resource import new_response, usage_json
from lmnb.api.openai.usage import add_usage
from lmnb.chat.message import Message
from lmnb.service.events import Finished, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from lmnb.service.responses import ResponseStore
from lmnb.service.toolloop import CallDone, CallRefused, LoopEvent

__all__ = ["Thread", "find_thread"]

log = logging.getLogger("lmnb.api")
Item = dict[str, Any]


@dataclass(slots=True)
class Thread:
    """What was said before, what is asked now, and what is answered."""

    resource: dict[str, Any]
    context: Context
    _usages: list[Usage] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.resource["id"])

    def messages(self) -> tuple[Message, ...]:
        """Of several system prompts the last one holds, from the beginning."""
        system = [one for one in self.context.items if one.get("role") == "system"]
        said = [one for one in self.context.items if one.get("role") != "system"]
        return to_messages([*system[-1:], *said])

    def take(self, event: LoopEvent) -> None:
        """Remember one step of the answer."""
        match event:
            case TextDelta(text) if text:
                content = self._open("message", role="assistant", content=[])["content"]
                self._extend(content, "output_text", text, annotations=[], logprobs=[])
            case ReasoningDelta(text) if text:
                content = self._open("reasoning", summary=[], content=[])["content"]
                self._extend(content, "reasoning_text", text)
            case ToolCallDelta(_, arguments, id, name):
                if name is not None:
                    self._add("function_call", call_id=id, name=name, arguments="")
                self.resource["output"][-1]["arguments"] += arguments
            case CallDone(call) | CallRefused(call):
                said = {"call_id": call.id, "output": event.text}
                self._add("function_call_output", **said)
            case Finished(reason, usage):
                self._usages.append(usage)
                if reason == "length":
                    details = {"reason": "max_output_tokens"}
                    self.resource.update(status="incomplete", incomplete_details=details)

    async def save(self, store: ResponseStore) -> None:
        """There is no more to come."""
        if self.resource["status"] != "incomplete":
            self.resource.update(status="completed", completed_at=int(time.time()))
        self.resource["usage"] = usage_json(add_usage(enumerate(self._usages)))
        try:
            await asyncio.to_thread(store.save, self.resource, self.context.input)
        except sqlite3.Error:
            log.exception("The chat %s could not be stored", self.id)

    def _open(self, kind: str, **fields: Any) -> Item:
        """The last item, if it is of that kind, or a new one."""
        output: list[Item] = self.resource["output"]
        return output[-1] if output and output[-1]["type"] == kind else self._add(kind, **fields)

    def _add(self, kind: str, **fields: Any) -> Item:
        output: list[Item] = self.resource["output"]
        id = item_id(kind, self.id, len(self.context.input) + len(output))
        output.append({"id": id, "type": kind, "status": "completed", **fields})
        return output[-1]

    def _extend(self, content: list[Item], kind: str, text: str, **fields: Any) -> None:
        if not content:
            content.append({"type": kind, "text": "", **fields})
        content[0]["text"] += text


async def find_thread(request: NativeChatRequest, store: ResponseStore) -> Thread:
    """Raises PreviousResponseNotFound, InvalidRequest."""
    said: list[Item] = [{"role": "user", "content": request.parts()}]
    if request.system_prompt is not None:
        said.insert(0, {"role": "system", "content": request.system_prompt})
    asked = ResponseRequest.model_validate(
        {
            "model": request.model,
            "input": said,
            "previous_response_id": request.previous_response_id,
            "store": request.store,
            "max_output_tokens": request.max_output_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
        }
    )
    resource = new_response(asked)
    return Thread(resource, await find_context(asked, resource["id"], store))
