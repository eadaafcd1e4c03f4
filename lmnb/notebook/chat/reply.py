"""What a model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lmnb.notebook.chat import formats
from lmnb.notebook.chat.calls import Call
from lmnb.notebook.chat.formats import Format
from lmnb.notebook.display.markdown import close_fence, code_blocks, fenced, harmless

MARKS = {"asked": "…", "done": "", "failed": " failed", "refused": " refused"}


@dataclass(frozen=True, slots=True)
class Round:
    """What the model said before it called tools, and the calls with their results."""

    text: str
    reasoning: str
    calls: tuple[Call, ...]


class Reply(str):
    """The answer's text: a `str` that also knows what it took to make it.

    `json.loads(reply)`, `reply.splitlines()` and `{reply}` in the next prompt work as they are.
    In a notebook it shows as Markdown.
    """

    model: str
    reasoning: str
    finish_reason: str
    """`stop`, `length`, `interrupted` or `failed`."""
    value: Any
    """With a schema, what the answer says, as the type that was asked for; else None."""
    rounds: tuple[Round, ...]
    """With tools, what came before this answer."""
    usage: dict[str, Any]
    """Tokens, as OpenAI counts them; of the last round, whose prompt holds all others."""
    timings: dict[str, Any]
    notes: tuple[str, ...]
    """What a person should know, such as a context that is nearly full."""
    shown_as: Format
    """How it is displayed."""

    def __new__(
        cls,
        text: str = "",
        *,
        model: str = "",
        reasoning: str = "",
        finish_reason: str = "",
        value: Any = None,
        rounds: Sequence[Round] = (),
        usage: dict[str, Any] | None = None,
        timings: dict[str, Any] | None = None,
        notes: Sequence[str] = (),
        shown_as: Format = "markdown",
    ) -> Reply:
        self = super().__new__(cls, text)
        self.model = model
        self.reasoning = reasoning
        self.finish_reason = finish_reason
        self.value = value
        self.rounds = tuple(rounds)
        self.usage = usage or {}
        self.timings = timings or {}
        self.notes = tuple(notes)
        self.shown_as = shown_as
        return self

    @property
    def text(self) -> str:
        """The answer as a plain `str`."""
        return str.__str__(self)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every tool call that was made for it, with its result."""
        return tuple(call for each in self.rounds for call in each.calls)

    @property
    def code(self) -> list[str]:
        """The code blocks in it."""
        return [code for _, code in code_blocks(self.text)]

    @property
    def is_empty(self) -> bool:
        """Broken off before it began. An answer that came and was empty is one."""
        begun = self.text or self.reasoning or self.rounds
        return not (begun or self.finish_reason in ("stop", "length"))

    @property
    def facts(self) -> str:
        """One line: speed, time to first token, context used, model."""
        speed = self.timings.get("predicted_per_second")
        first = self.timings.get("first_token_ms")
        context = self.timings.get("context_length")
        used = self.usage.get("total_tokens")
        parts = [
            f"{speed:.0f} tokens/s" if speed else "",
            f"first token {first / 1000:.2f} s" if first is not None else "",
            f"context {used:,} / {context:,}" if used and context else "",
            self.model,
            self._ending(used, context),
        ]
        return " · ".join(part for part in parts if part)

    def _ending(self, used: int | None, context: int | None) -> str:
        if self.finish_reason == "length":
            full = used and context and used >= context
            return "stopped: the context is full" if full else "stopped: max tokens"
        return self.finish_reason if self.finish_reason in ("interrupted", "failed") else ""

    def to_markdown(self, note: str = "") -> str:
        """Reasoning and calls folded, the text, and under it `note` or the facts, small."""
        parts = [_round(each) for each in self.rounds]
        if self.reasoning:
            parts.append(_reasoning(self.reasoning, is_open=not self.text))
        if self.text:
            parts.append(formats.to_markdown(self.text, self.shown_as))
        parts += [
            f"\n<sub>{escape(line, quote=False)}</sub>"
            for line in (note or self.facts, *self.notes)
            if line
        ]
        return "\n".join(parts)

    def to_plain(self, note: str = "") -> str:
        """The same without marks."""
        called = "\n".join(plain_call(call) for call in self.calls)
        lines = "\n".join(f"[{line}]" for line in (note or self.facts, *self.notes) if line)
        return "\n\n".join(part for part in (called, self.text, lines) if part)

    def to_bundle(self, note: str = "") -> dict[str, str]:
        """Every representation, for Jupyter. While it comes (`note`), those that can be unfinished."""
        more = {} if note else formats.more(self.text, self.shown_as, self.facts)
        markdown, plain = self.to_markdown(note), self.to_plain(note)
        return {"text/plain": plain, "text/markdown": markdown, **more}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.to_bundle()

    def _ipython_display_(self) -> None:
        """IPython's own printer of strings would go before `_repr_mimebundle_`."""
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)


def plain_call(call: Call) -> str:
    """A call and its result in a terminal."""
    return f"→ {call}{MARKS[call.outcome]}" + (f"\n← {call.result}" if call.result else "")


def _round(each: Round) -> str:
    parts = [_reasoning(each.reasoning)] if each.reasoning else []
    if each.text.strip():
        parts.append(close_fence(harmless(each.text)) + "\n")
    parts += [_call(call) for call in each.calls]
    return "\n".join(parts)


def _reasoning(text: str, *, is_open: bool = False) -> str:
    head = f"<details{' open' if is_open else ''}><summary>Reasoning</summary>"
    return f"{head}\n\n{close_fence(harmless(text.strip()))}\n\n</details>\n"


def _call(call: Call) -> str:
    head = f"<code>{escape(str(call), quote=False)}</code>{MARKS[call.outcome]}"
    if not call.result:
        return f"<div>{head}</div>\n"
    return f"<details><summary>{head}</summary>\n\n{fenced(call.result)}\n\n</details>\n"
