"""gpt-oss's own form of answers, OpenAI's Harmony: messages with channels, not text with tags.

    <|channel|>analysis<|message|>thinking<|end|><|start|>assistant
    <|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": ...}<|call|>
    <|channel|>final<|message|>the answer<|return|>

Written by hand, from the format's description: `openai-harmony` would fetch its vocabulary from the
net, and reads tokens, where text is what we have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from lmnb.chat.callgrammar import arguments_schema
from lmnb.chat.deltas import Call, Content, Delta, Reasoning
from lmnb.chat.marks import undecided
from lmnb.chat.reasoning import ReasoningFormat
from lmnb.chat.tools import Tool

__all__ = [
    "ANALYSIS_END",
    "MARKS",
    "THINKING",
    "TRIGGER",
    "HarmonyParser",
    "harmony_grammar",
    "is_harmony",
    "thinking_over",
]

START, CHANNEL, MESSAGE, CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
ENDS = ("<|end|>", "<|call|>", "<|return|>", START)
MARKS = (CHANNEL, MESSAGE, CONSTRAIN, *ENDS)
TRIGGER = "to=functions."
ANALYSIS_END = "<|end|>"
THINKING = ReasoningFormat(f"{CHANNEL}analysis{MESSAGE}", f"{CHANNEL}final{MESSAGE}")
"""What comes before the answer itself."""

_RECIPIENT = re.compile(r"to=functions\.([^\s<]+)")
_HEADS = ("assistant", CHANNEL, "to=", START)
_MOST_HEADER = 300


def is_harmony(template_source: str) -> bool:
    return f"{CHANNEL}analysis{MESSAGE}" in template_source


def thinking_over(*, calls: bool) -> str:
    """What ends the analysis, and leads to the answer; with `calls` there may be one before it."""
    channel = "commentary" if calls else f"final{MESSAGE}"
    return f"{ANALYSIS_END}{START}assistant{CHANNEL}{channel}"


class HarmonyParser:
    """Text deltas in, typed deltas out; however the text is cut, the joined result is the same."""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._names = {tool.name for tool in tools}
        self._held = ""
        self._kind: type[Content | Reasoning] | None = None
        self._in_header = True
        self._begun = False
        self._calls = 0

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes; none is empty."""
        self._held += text
        out: list[Delta] = []
        while self._header(out) if self._in_header else self._body(out):
            pass
        return out

    def finish(self) -> list[Delta]:
        """What was still held: the reply is over."""
        held, self._held = self._held, ""
        if self._in_header:
            self._kind = Content
            next_turn = f"{START}assistant"
            if self._begun and next_turn.startswith(held.strip()):
                held = ""
        return [self._delta(held)] if held else []

    def _header(self, out: list[Delta]) -> bool:
        """Up to the mark after which a message's text begins. False while it has not come."""
        front = self._held.lstrip()
        may_be = any(front.startswith(head) or head.startswith(front) for head in _HEADS)
        header, found, rest = self._held[:_MOST_HEADER].partition(MESSAGE)
        if not may_be or (not found and len(self._held) >= _MOST_HEADER):
            self._kind, self._in_header = Content, False
            return True
        if not found:
            return False
        self._held = rest + self._held[_MOST_HEADER:]
        self._in_header = False
        recipient = _RECIPIENT.search(header)
        if recipient and recipient[1] in self._names:
            self._kind = None
            out.append(Call(self._calls, name=recipient[1]))
            self._calls += 1
        elif f"{CHANNEL}analysis" in header:
            self._kind = Reasoning
        else:
            self._kind = Content
        return True

    def _body(self, out: list[Delta]) -> bool:
        """A message's text, up to its end."""
        found = [(at, end) for end in ENDS if (at := self._held.find(end)) >= 0]
        if not found:
            ready = len(self._held) - max(undecided(self._held, end) for end in ENDS)
            if ready:
                out.append(self._delta(self._held[:ready]))
                self._held = self._held[ready:]
            return False
        at, end = min(found)
        if at:
            out.append(self._delta(self._held[:at]))
        self._held = self._held[at + len(end) :]
        self._in_header = self._begun = True
        return True

    def _delta(self, text: str) -> Delta:
        return Call(self._calls - 1, text) if self._kind is None else self._kind(text)


def harmony_grammar(
    tools: Sequence[Tool], *, after_trigger: bool, tokens: Mapping[str, int]
) -> str:
    """One call, after thinking if the model thinks; or what follows the trigger."""
    mark = {text: f"<[{tokens[text]}]>" if text in tokens else json.dumps(text) for text in MARKS}
    calls = " | ".join(
        f"{json.dumps(tool.name)} middle %json {json.dumps(arguments_schema(tool))}"
        for tool in tools
    )
    json_ = f'" "? {mark[CONSTRAIN]}? "json"'
    return "\n".join(
        [
            f"start: {'' if after_trigger else 'thinking? opening '}call {mark['<|call|>']}",
            f'opening: {mark[CHANNEL]} "commentary to=functions."',
            f'thinking: {mark[CHANNEL]} "analysis" {mark[MESSAGE]} /(?s:.*)/ {mark["<|end|>"]}'
            f' {mark[START]} "assistant"',
            f"call: {calls}",
            f'middle: ({mark[CHANNEL]} "commentary")? ({json_})? {mark[MESSAGE]}',
        ]
    )
