"""How a model writes a tool call, as texts around its name and its arguments.

    start  open NAME middle ARGUMENTS close  separator  open NAME middle ARGUMENTS close  end

ARGUMENTS are a JSON object; or, with `parameters`, one piece of text for each of them:

    open KEY middle VALUE close  separator  open KEY middle VALUE close
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lmnb.chat.message import ToolCall

__all__ = ["HERMES", "ID", "NUMBER", "CallFormat", "ParameterFormat"]

ID, NUMBER = "\ufdd4", "\ufdd5"
"""Stand in these texts where the model writes an id, or the number of the call."""

TAG = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]{2,}\]")
"""What may be one token, and marks the beginning of a call clearly."""


@dataclass(frozen=True, slots=True)
class ParameterFormat:
    """Strings stand between `middle` and `close` as they are; other values, as JSON, between
    `other_middle` and `close`."""

    open: str
    middle: str
    close: str
    other_middle: str
    separator: str = "\n"


@dataclass(frozen=True, slots=True)
class CallFormat:
    open: str
    middle: str
    close: str
    start: str = ""
    separator: str = ""
    end: str = ""
    parameters: ParameterFormat | None = None
    quote: str = ""
    """Arguments are JSON but for bare keys, and strings between these marks (`bare.py`)."""
    parallel: bool = True
    """False: the model's template knows one call in an answer only."""

    @property
    def leads(self) -> tuple[str, ...]:
        """Texts that say: a call begins here. Each is the beginning of what a call begins with."""
        head = (self.start + self.open).lstrip()
        tag = TAG.match(head)
        if tag:
            return (tag[0],)
        lead = re.split(f"[{ID}{NUMBER}]", head)[0].rstrip()
        # Models leave out the space after a colon as they like.
        return tuple(dict.fromkeys((lead, lead.replace(": ", ":"))))

    def write(self, calls: Iterable[ToolCall]) -> str:
        """The calls as the model would write them."""
        written = [
            self.open + call.name + self.middle + self._arguments(call) + self.close
            for call in calls
        ]
        text = self.start + self.separator.join(written) + self.end
        return text.replace(ID, "call00001").replace(NUMBER, "0")

    def _arguments(self, call: ToolCall) -> str:
        form = self.parameters
        if form is None and not self.quote:
            return call.arguments or "{}"
        arguments = json.loads(call.arguments or "{}")
        if form is None:
            return self._bare(arguments)[1:-1]
        return form.separator.join(
            form.open
            + key
            + (
                form.middle + value
                if isinstance(value, str)
                else form.other_middle + json.dumps(value, ensure_ascii=False)
            )
            + form.close
            for key, value in arguments.items()
        )

    def _bare(self, value: Any) -> str:
        if isinstance(value, str):
            return self.quote + value + self.quote
        if isinstance(value, dict):
            return "{" + ",".join(f"{key}:{self._bare(part)}" for key, part in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(self._bare, value)) + "]"
        return json.dumps(value)


HERMES = CallFormat(
    open='<tool_call>\n{"name": "',
    middle='", "arguments": ',
    close="}\n</tool_call>",
    separator="\n",
)
"""Of Hermes, Qwen and many others; ours for models whose template shows none."""

GRANITE = CallFormat(
    start="<|tool_call|>[",
    open='{"name": "',
    middle='", "arguments": ',
    close="}",
    separator=", ",
    end="]",
)
"""Of Granite 3: its template shows the tools, and no call."""

PHI = CallFormat(
    start="<|tool_call|>[",
    open='{"name": "',
    middle='", "arguments": ',
    close="}",
    separator=", ",
    end="]<|/tool_call|>",
)
"""Of Phi-4 mini: its template wants the tools in the system message, and shows no call."""


def written_by_hand(template_source: str) -> CallFormat:
    """The format of a model whose template shows no calls."""
    if "<|tool|>" in template_source:
        return PHI
    if "<|tool_call|>" in template_source:
        return GRANITE
    return HERMES
