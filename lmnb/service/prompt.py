"""Messages to an engine's prompt, and back: the loaded model's template and its reply's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from lmnb.chat.message import Message
from lmnb.chat.parser import ReplyParser
from lmnb.chat.reasoning import ReasoningFormat, detect, opened_by
from lmnb.chat.template import DEFAULT_TEMPLATE, ChatTemplate
from lmnb.engine.events import ModelFacts
from lmnb.engine.options import Span

DEFAULT_STOP = "\nUser:"


class PromptMaker:
    """One per loaded model; compiles its template on first use."""

    def __init__(self, facts: ModelFacts) -> None:
        self._facts = facts

    @cached_property
    def template(self) -> ChatTemplate:
        """Raises InvalidRequest when the model's template is broken."""
        return ChatTemplate(
            self._source,
            bos=self._facts.bos,
            eos=self._facts.eos,
            special_tokens=self._facts.special_tokens,
        )

    @cached_property
    def reasoning(self) -> ReasoningFormat | None:
        return detect(self._source)

    @property
    def stop(self) -> tuple[str, ...]:
        """What ends a reply beside the model's own end: a transcript's next turn."""
        return () if self._facts.chat_template else (DEFAULT_STOP,)

    @property
    def visible(self) -> tuple[str, ...]:
        """Control tokens the parser has to see."""
        return (self.reasoning.start, self.reasoning.end) if self.reasoning else ()

    def render(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[Span, ...], ReplyParser]:
        """The prompt, and the parser that understands what the model answers to it.

        Raises InvalidRequest when the template refuses the conversation. Takes a template's time:
        call it in a thread.
        """
        pieces = self.template.render(
            messages,
            add_generation_prompt=not continue_final,
            continue_final=continue_final,
            variables=variables or {},
        )
        inside = False
        if self.reasoning is not None:
            inside = opened_by("".join(text for text, _ in pieces), self.reasoning)
        return tuple(Span(*piece) for piece in pieces), ReplyParser(self.reasoning, inside)

    @property
    def _source(self) -> str:
        return self._facts.chat_template or DEFAULT_TEMPLATE
