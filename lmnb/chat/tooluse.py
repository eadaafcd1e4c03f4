"""Tools in a conversation, as one model's chat template can show them.

What a template does not show is put into words: the tools into the system message, calls into the
answers' text, results into the user's turns. Whether it shows them is seen in what it renders.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmnb.chat.callformat import PHI, CallFormat, written_by_hand
from lmnb.chat.learning import NAMES, RESULT, TOOLS, USER, calls, learn
from lmnb.chat.message import Message, ToolCall
from lmnb.chat.template import ChatTemplate
from lmnb.chat.tools import Tool
from lmnb.errors import InvalidRequest

__all__ = ["ToolUse"]

LONG_ID = "call_0123456789abcdef"
_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
_ASK = Message("user", USER)


class ToolUse:
    """Learnt once for each template; takes some renders' time."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template
        learnt = learn(self._render)
        self.shows_calls = learnt is not None
        self.format: CallFormat = learnt or written_by_hand(template.source)
        # A template that shows tools for calls of a kind we do not know is of no use.
        known = any(lead in template.source for lead in self.format.leads) or self.format is PHI
        self.shows_tools = (self.shows_calls or known) and self._shows([_ASK], NAMES[0])
        answer = Message("assistant", "", tool_calls=calls(1))
        result = Message("tool", RESULT, tool_call_id=answer.tool_calls[0].id)
        told = answer if self.shows_calls else self._told(answer)
        self.shows_results = (self.shows_calls or self.shows_tools) and self._shows(
            [_ASK, told, result], RESULT
        )
        long = Message("assistant", "", tool_calls=(replace(calls(1)[0], id=LONG_ID),))
        self._short_ids = self.shows_calls and not self._shows([_ASK, long], NAMES[0])
        plain = Tool(NAMES[0], "", {"properties": {"key": {"type": "string"}}}).to_json()
        self._described = not self._shows([_ASK], NAMES[0], [plain])

    def prepare(
        self, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> tuple[tuple[Message, ...], list[dict[str, Any]] | None]:
        """The messages, and the tools, to render."""
        conversation = linked(messages)
        if self._short_ids:
            conversation = [_with_short_ids(message) for message in conversation]
        if not self.shows_calls:
            conversation = [self._told(message) for message in conversation]
        if not self.shows_results:
            conversation = _results_told(conversation)
        if tools and not self.shows_tools:
            conversation = [
                Message("system", self._instructions(tools)),
                *self._example(),
                *conversation,
            ]
            conversation = _one_system(conversation)
        if not (tools and self.shows_tools):
            return tuple(conversation), None
        shown = [tool.to_json() for tool in tools]
        return tuple(conversation), [*map(_described, shown)] if self._described else shown

    def _instructions(self, tools: Sequence[Tool]) -> str:
        """Hermes's words, with the model's own form of a call."""
        listed = "\n".join(json.dumps(tool.to_json(), ensure_ascii=False) for tool in tools)
        form = self.format.write(
            [ToolCall("", "<function-name>", '{"<argument-name>": "<value>"}')]
        )
        return _INSTRUCTIONS.format(tools=listed, form=form)

    def _example(self) -> list[Message]:
        """One turn that shows how it is done: the smallest models do not call without it. They
        call too much with it; an example of an answer beside it, or of a result, undoes it.
        """
        call = ToolCall("example00", "get_time", '{"city": "Oslo"}')
        answer = Message("assistant", "", tool_calls=(call,))
        return [
            Message("user", "What time is it in Oslo?"),
            answer if self.shows_calls else self._told(answer),
        ]

    def _told(self, message: Message) -> Message:
        if not message.tool_calls:
            return message
        written = self.format.write(message.tool_calls)
        content = f"{message.content}\n{written}" if message.content else written
        return replace(message, content=content, tool_calls=())

    def _shows(
        self, messages: Sequence[Message], mark: str, tools: Sequence[dict[str, Any]] = TOOLS
    ) -> bool:
        try:
            return mark in self._render(messages, tools)
        except InvalidRequest:
            return False

    def _render(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = TOOLS) -> str:
        pieces = self._template.render(messages, tools=tools, add_generation_prompt=False)
        return "".join(text for text, _ in pieces)


_INSTRUCTIONS = """\
You may call one or more functions to assist with the user query. You are provided with function \
signatures within <tools></tools> tags:
<tools>
{tools}
</tools>

To call a function, answer with its name and its arguments in exactly this form, and nothing else:
{form}"""


def _described(tool: dict[str, Any]) -> dict[str, Any]:
    """A description for every parameter: Command R+ takes none without."""
    function = tool["function"]
    properties = {
        key: {"description": "", **part} if isinstance(part, Mapping) else part
        for key, part in function["parameters"]["properties"].items()
    }
    parameters = {**function["parameters"], "properties": properties}
    return {**tool, "function": {**function, "parameters": parameters}}


def linked(messages: Sequence[Message]) -> list[Message]:
    """The conversation with every result saying which call it answers, and of which function."""
    names: dict[str, str] = {}
    waiting: list[str] = []
    conversation = []
    for message in messages:
        for call in message.tool_calls:
            names[call.id] = call.name
            waiting.append(call.id)
        if message.role == "tool":
            id = message.tool_call_id or (waiting[0] if waiting else None)
            if id in waiting:
                waiting.remove(id)
            name = message.name or (names.get(id) if id else None)
            message = replace(message, tool_call_id=id, name=name)
        conversation.append(message)
    return conversation


def _with_short_ids(message: Message) -> Message:
    called = tuple(replace(call, id=_short(call.id)) for call in message.tool_calls)
    id = message.tool_call_id
    return replace(message, tool_calls=called, tool_call_id=_short(id) if id else id)


def _short(id: str) -> str:
    """Nine letters and digits, always the same ones for the same id: what Mistral's models want."""
    return id if _SHORT_ID.fullmatch(id) else hashlib.sha256(id.encode()).hexdigest()[:9]


def _results_told(messages: Sequence[Message]) -> list[Message]:
    """Results as the user's turns; neighbours in one."""
    told: list[Message] = []
    after_result = False
    for message in messages:
        if message.role != "tool":
            told.append(message)
        else:
            text = f"<tool_response>\n{message.content}\n</tool_response>"
            if after_result:
                told[-1] = replace(told[-1], content=f"{told[-1].content}\n{text}")
            else:
                told.append(Message("user", text))
        after_result = message.role == "tool"
    return told


def _one_system(messages: Sequence[Message]) -> list[Message]:
    """The caller's first words to the model, then how to call tools, in one system message."""
    head, *rest = messages
    at = next((n for n, message in enumerate(rest) if message.role == "system"), None)
    if at is not None:
        head = replace(head, content=f"{rest.pop(at).content}\n\n{head.content}")
    return [head, *rest]
