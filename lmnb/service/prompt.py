"""Messages to an engine's prompt, and back: the loaded model's template and its reply's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lmnb.chat.callgrammar import tags
from lmnb.chat.calls import CallReader
from lmnb.chat.harmony import (
    ANALYSIS_END,
    MARKS,
    THINKING,
    HarmonyParser,
    is_harmony,
    thinking_over,
)
from lmnb.chat.image import Image, split
from lmnb.chat.message import Message
from lmnb.chat.parser import ReplyParser
from lmnb.chat.reasoning import ReasoningFormat, detect, opened_by
from lmnb.chat.template import DEFAULT_TEMPLATE, ChatTemplate
from lmnb.chat.tools import AUTO, Tool, ToolChoice, callable_tools
from lmnb.chat.tooluse import ToolUse
from lmnb.engine.events import ModelFacts
from lmnb.engine.options import Span, ThinkingLimit

DEFAULT_STOP = "\nUser:"
Parser = ReplyParser | HarmonyParser
TOOL_TEMPLATE = "tool_use"
"""The name under which models carry a second template, for conversations with tools."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads, and who understands what it answers."""

    spans: tuple[Span, ...]
    parser: Parser
    visible: tuple[str, ...]
    """Control tokens the parser has to see."""
    voice: Voice
    inside: bool
    """The answer begins inside the thinking."""
    thought: bool = False
    """The prompt has closed the thinking: there will be none."""
    images: tuple[Image, ...] = ()
    """Pictures that `spans` place, by their number here."""
    may_call: bool = False
    """There are tools that the answer may call."""

    def limit(self, tokens: int | None) -> ThinkingLimit | None:
        """What ends the thinking after so many tokens. None where there is nothing to end."""
        reasoning = self.voice.reasoning
        if tokens is None or reasoning is None or self.thought:
            return None
        if self.voice.harmony:
            closing = thinking_over(calls=self.may_call)
            return ThinkingLimit(
                tokens=tokens, start=reasoning.start, end=ANALYSIS_END, closing=closing
            )
        start = "" if self.inside else reasoning.start
        closing = f"\n{reasoning.end}"
        return ThinkingLimit(tokens=tokens, start=start, end=reasoning.end, closing=closing)


class PromptMaker:
    """One per loaded model; compiles its templates on first use."""

    def __init__(self, facts: ModelFacts) -> None:
        self._facts = facts
        self.token_ids: dict[str, int | None] = {}
        """Control tokens in the calls' format, as far as they were looked up."""

    @property
    def template(self) -> ChatTemplate:
        """Raises InvalidRequest when the model's template is broken."""
        return self._voice.template

    @property
    def reasoning(self) -> ReasoningFormat | None:
        return self._voice.reasoning

    @property
    def stop(self) -> tuple[str, ...]:
        """What ends a reply beside the model's own end: a transcript's next turn."""
        return () if self._facts.chat_template else (DEFAULT_STOP,)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        choice: ToolChoice = AUTO,
        add_generation_prompt: bool = True,
        continue_final: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> Prompt:
        """The prompt, and the parser that understands what the model answers to it.

        Raises InvalidRequest when the template refuses the conversation. Takes a template's time:
        call it in a thread.
        """
        images = tuple(image for message in messages for image in message.images)
        shown = tools if choice.mode != "none" else ()
        with_tools = shown or any(m.tool_calls or m.role == "tool" for m in messages)
        voice = self._voice_for_tools if with_tools else self._voice
        listed = None
        if with_tools:
            messages, listed = voice.tool_use.prepare(messages, shown)
        pieces = voice.template.render(
            messages,
            tools=listed,
            add_generation_prompt=add_generation_prompt and not continue_final,
            continue_final=continue_final,
            variables=_thinking(variables or {}),
        )
        text = "".join(text for text, _ in pieces)
        inside = voice.begins_inside(text)
        if inside and not voice.harmony and (variables or {}).get("enable_thinking") is False:
            # A template that cannot be told: the thinking it begins is over at once.
            assert voice.reasoning is not None
            closing = f"\n{voice.reasoning.end}\n\n"
            pieces, text, inside = [*pieces, (closing, True)], text + closing, False
        may_be_called = callable_tools(shown, choice)
        return Prompt(
            spans=_spans(pieces, images),
            parser=voice.parser(inside, may_be_called),
            visible=voice.visible(calls=bool(may_be_called)),
            voice=voice,
            inside=inside,
            thought=voice.has_thought(text),
            images=images,
            may_call=bool(may_be_called),
        )

    @cached_property
    def _voice(self) -> Voice:
        return Voice(self._facts.chat_template or DEFAULT_TEMPLATE, self._facts)

    @cached_property
    def _voice_for_tools(self) -> Voice:
        source = self._facts.templates.get(TOOL_TEMPLATE)
        return Voice(source, self._facts) if source else self._voice


class Voice:
    """One template of a model, and all that can be seen in it."""

    def __init__(self, source: str, facts: ModelFacts) -> None:
        self.template = ChatTemplate(
            source, bos=facts.bos, eos=facts.eos, special_tokens=facts.special_tokens
        )
        self.harmony = is_harmony(source)
        self.reasoning = THINKING if self.harmony else detect(source)
        self._special_tokens = facts.special_tokens

    @cached_property
    def tool_use(self) -> ToolUse:
        return ToolUse(self.template)

    def parser(self, inside: bool, tools: Sequence[Tool]) -> Parser:
        """Reads an answer that may call `tools`."""
        if self.harmony:
            return HarmonyParser(tools)
        calls = CallReader(self.tool_use.format, tools) if tools else None
        return ReplyParser(self.reasoning, inside, calls)

    def visible(self, *, calls: bool) -> tuple[str, ...]:
        """Control tokens the parser has to see."""
        if self.harmony:
            return MARKS
        tokens = (self.reasoning.start, self.reasoning.end) if self.reasoning else ()
        if not calls:
            return tokens
        return tokens + tuple(sorted(tags(self.tool_use.format).intersection(self._special_tokens)))

    def begins_inside(self, prompt: str) -> bool:
        return self.harmony or (self.reasoning is not None and opened_by(prompt, self.reasoning))

    def has_thought(self, prompt: str) -> bool:
        return self.reasoning is not None and prompt.rstrip().endswith(self.reasoning.end)


def _spans(pieces: Sequence[tuple[str, bool]], images: Sequence[Image]) -> tuple[Span, ...]:
    """Text, and pictures where their marks are."""
    numbers = {image.mark: number for number, image in enumerate(images)}
    return tuple(
        Span(part, special) if isinstance(part, str) else Span("", image=numbers[part.mark])
        for text, special in pieces
        for part in split(text, images)
    )


def _thinking(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Templates have two names for the switch: Qwen's `enable_thinking`, DeepSeek's `thinking`."""
    switch = variables.get("enable_thinking", variables.get("thinking"))
    names = ("enable_thinking", "thinking") if isinstance(switch, bool) else ()
    return {**dict.fromkeys(names, switch), **variables}
