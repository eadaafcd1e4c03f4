"""A question and its answer, over as many requests as tools take. Does no I/O of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmnb.errors import InvalidAnswer
from lmnb.notebook.chat import room
from lmnb.notebook.chat.calls import Call
from lmnb.notebook.chat.formats import Format
from lmnb.notebook.chat.reply import Reply, Round
from lmnb.notebook.chat.schema import Schema
from lmnb.notebook.connection.wire import ChatEvent, End, Reasoning, Text, ToolDelta

Message = dict[str, Any]
MAX_ROUNDS = 8


@dataclass(frozen=True)
class Question:
    """What is asked, of whom, and what the answer may and shall be."""

    model: str
    messages: Sequence[Message]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schema: Schema | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: Any = "auto"
    """In the first round; later ones are the model's choice."""
    max_rounds: int = MAX_ROUNDS
    """Answers at most, the last of which may call no tool."""
    format: Format = "markdown"

    @property
    def fields(self) -> dict[str, Any]:
        """The request's fields besides model and messages, for its first round."""
        fields = dict(self.parameters)
        if self.schema is not None:
            fields["response_format"] = self.schema.response_format
        elif self.format == "json":
            fields["response_format"] = {"type": "json_object"}
        if self.tools:
            fields["tools"] = list(self.tools)
            fields["tool_choice"] = self.tool_choice if self.max_rounds > 1 else "none"
        return fields


class Exchange:
    """`request()`, then `take` each event; while there are `pending` calls, `settle` them and again."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.messages: list[Message] = list(question.messages)
        self.notes: tuple[str, ...] = ()
        self._rounds: list[Round] = []
        self._ended: End | None = None
        self._began = time.monotonic()
        self._first: float | None = None
        self._start()

    def _start(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[Call] = []

    def request(self) -> tuple[list[Message], dict[str, Any]]:
        """The messages and the fields of the next request."""
        fields = self.question.fields
        if self._rounds:
            fields["tool_choice"] = "none" if self._is_last_round else "auto"
        return self.messages, fields

    def take(self, event: ChatEvent) -> str:
        """What the event adds to the answer's text."""
        if isinstance(event, End):
            self._ended = event
        elif isinstance(event, Text):
            self._text.append(event.text)
        elif isinstance(event, Reasoning):
            self._reasoning.append(event.text)
        elif isinstance(event, ToolDelta):
            self._add(event)
        if self._first is None and isinstance(event, Text | Reasoning | ToolDelta):
            self._first = time.monotonic()
        return event.text if isinstance(event, Text) else ""

    @property
    def pending(self) -> tuple[Call, ...]:
        """The calls that the model waits for, once its round has ended. None in the last one."""
        return tuple(self._calls) if self._ended and not self._is_last_round else ()

    @property
    def _is_last_round(self) -> bool:
        return len(self._rounds) + 1 >= self.question.max_rounds

    def settle(self, calls: Sequence[Call]) -> None:
        """The calls' results. The next round may begin."""
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        self._rounds.append(Round(text, reasoning, tuple(calls)))
        asked = {
            "role": "assistant",
            "content": text,
            "tool_calls": [c.to_message() for c in calls],
        }
        self.messages += [asked, *(call.result_message() for call in calls)]
        self._ended = None
        self._start()

    @property
    def new_messages(self) -> list[Message]:
        """The user's message and all that came of it, for the conversation."""
        new = self.messages[len(self.question.messages) - 1 :]
        return [*new, {"role": "assistant", "content": "".join(self._text)}]

    def result(self) -> Reply:
        """The whole answer. Raises InvalidAnswer where it is not what the schema says."""
        reply = self.reply()
        used, context = reply.usage.get("total_tokens"), reply.timings.get("context_length")
        if used and context and (full := room.warning(used, context)):
            reply.notes = (full,)
        schema = self.question.schema
        if schema is None and self.question.format == "json":
            schema = Schema.of({"title": "JSON"})
        if schema is not None:
            try:
                reply.value = schema.value(reply.text, reply.finish_reason)
            except InvalidAnswer as error:
                error.reply = reply
                raise
        return reply

    def so_far(self, reason: str) -> Reply:
        """What had come, timed by our own clock: the server did not get to say."""
        timings = dict[str, Any]()
        if self._first is not None:
            timings["first_token_ms"] = (self._first - self._began) * 1000
            timings["predicted_ms"] = (time.monotonic() - self._first) * 1000
        return self.reply(reason, timings)

    def reply(self, reason: str = "", timings: dict[str, Any] | None = None) -> Reply:
        """The answer as it stands."""
        end = self._ended or End("", self.question.model)
        text, reasoning, rounds = "".join(self._text), "".join(self._reasoning), self._rounds
        if self._calls:
            rounds = [*rounds, Round(text, reasoning, tuple(self._calls))]
            text = reasoning = ""
        return Reply(
            text,
            model=end.model,
            reasoning=reasoning,
            finish_reason=reason or end.reason,
            rounds=rounds,
            usage=end.usage,
            timings=timings or end.timings,
            notes=self.notes,
            shown_as=self.question.format,
        )

    def _add(self, delta: ToolDelta) -> None:
        while len(self._calls) <= delta.index:
            self._calls.append(Call(f"call_{len(self._calls)}", "", ""))
        before = self._calls[delta.index]
        self._calls[delta.index] = Call(
            delta.id or before.id, before.name + delta.name, before.arguments + delta.arguments
        )
