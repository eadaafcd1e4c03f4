"""What a `%%lms` cell answers."""

from __future__ import annotations

from html import escape
from typing import Any

from lmnb.notebook.markdown import close_fence, harmless


class Reply(str):
    """The answer's text: a `str` that also knows what it took to make it.

    `json.loads(reply)`, `reply.splitlines()` and `{reply}` in the next prompt work as they are.
    In a notebook it shows as Markdown.
    """

    model: str
    reasoning: str
    finish_reason: str
    """`stop`, `length`, `interrupted` or `failed`."""
    usage: dict[str, Any]
    timings: dict[str, Any]

    def __new__(
        cls,
        text: str = "",
        *,
        model: str = "",
        reasoning: str = "",
        finish_reason: str = "",
        usage: dict[str, Any] | None = None,
        timings: dict[str, Any] | None = None,
    ) -> Reply:
        self = super().__new__(cls, text)
        self.model = model
        self.reasoning = reasoning
        self.finish_reason = finish_reason
        self.usage = usage or {}
        self.timings = timings or {}
        return self

    @property
    def text(self) -> str:
        """The answer as a plain `str`."""
        return str.__str__(self)

    @property
    def is_empty(self) -> bool:
        """Broken off before it began. An answer that came and was empty is one."""
        begun = self.text or self.reasoning or self.finish_reason in ("stop", "length")
        return not begun

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
        """Reasoning folded, the text, and under it `note` or the facts, small."""
        parts = list[str]()
        if self.reasoning:
            open_ = "" if self.text else " open"
            parts.append(f"<details{open_}><summary>Reasoning</summary>\n")
            parts.append(close_fence(harmless(self.reasoning.strip())))
            parts.append("\n</details>\n")
        if self.text:
            parts.append(close_fence(harmless(self.text)))
        if line := note or self.facts:
            parts.append(f"\n<sub>{escape(line, quote=False)}</sub>")
        return "\n".join(parts)

    def to_plain(self, note: str = "") -> str:
        """The same without marks."""
        line = note or self.facts
        return "\n\n".join(part for part in (self.text, f"[{line}]" if line else "") if part)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.to_plain(), "text/markdown": self.to_markdown()}

    def _ipython_display_(self) -> None:
        """IPython's own printer of strings would go before `_repr_mimebundle_`."""
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)
