"""One question to several models, side by side."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

from ipywidgets import HTML, Button, GridBox, HBox, SelectMultiple, Textarea

from lmnb.errors import InvalidRequest, LmnbError
from lmnb.notebook.cell.compare import Comparison
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.choice import language_models
from lmnb.notebook.display.rendering import to_html
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.panel import Panel, quiet
from lmnb.notebook.widgets.streaming import stream

WIDE = {"width": "100%"}


class Compare(Panel):
    """`lmnb.Compare("a", "b")`: what each model answers. `replies` holds the answers."""

    instead = "`%%lms --compare A,B`."

    def __init__(
        self, *models: str, prompt: str = "", loop: Loop = loop, **parameters: Any
    ) -> None:
        super().__init__("Compare models", loop=loop)
        self.parameters = parameters
        self.replies = Comparison()
        self.choice = SelectMultiple(description="Models", rows=4, layout=WIDE)
        self.prompt = Textarea(
            value=prompt,
            description="Question",
            rows=3,
            layout=WIDE,
            placeholder="The same for all",
        )
        self.ask_all = Button(description="Ask all", tooltip="Ask them all", button_style="primary")
        self.stop = Button(description="Stop", tooltip="Stop the answers", disabled=True)
        self.columns = GridBox(layout={"grid_gap": "1rem"})
        self._running: Any = None
        self.ask_all.on_click(lambda _: self.start())
        self.stop.on_click(lambda _: self._running and self._running.cancel())
        buttons = HBox([self.ask_all, self.stop])
        self.fill(self.choice, self.prompt, buttons, self.columns)
        self.begin(self._open(models))

    def start(self) -> None:
        """Ask the chosen models."""
        self.complain("")
        self._running = self.begin(self._ask(self.choice.value, self.prompt.value.strip()))

    def refresh(self) -> None:
        """Models may have come or gone."""
        self.begin(self._open(self.choice.value))

    def transcript(self) -> str:
        """The question and the answers as a table."""
        if not self.replies:
            return ""
        return f"**{escape(self.prompt.value.strip())}**\n\n{self.replies.to_markdown()}"

    async def _open(self, wanted: tuple[str, ...]) -> None:
        listing = await self.ask("GET", "api/v1/models")
        names = [one["key"] for one in language_models(listing["models"])]
        self.choice.options = list(dict.fromkeys([*names, *wanted]))
        self.choice.value = wanted or tuple(names[:2])

    async def _ask(self, models: tuple[str, ...], prompt: str) -> None:
        if not models or not prompt:
            raise InvalidRequest("Choose models (Ctrl or Shift for several), and write a question.")
        self.replies = Comparison()
        columns = {model: _column(model) for model in models}
        for former in self.columns.children:
            close_parts(former)
            former.close()
        self.columns.children = tuple(columns.values())
        columns_of = f"repeat({len(models)}, minmax(0, 1fr))"
        self.columns.layout.grid_template_columns = columns_of
        self.ask_all.disabled, self.stop.disabled = True, False
        try:
            # One after the other would be fairer to each; together is what a person waits for.
            await asyncio.gather(*(self._follow(m, prompt, columns[m]) for m in models))
        finally:
            self.ask_all.disabled, self.stop.disabled = False, True
            self.keep()

    async def _follow(self, model: str, prompt: str, column: HTML) -> None:
        question = Question(model, [{"role": "user", "content": prompt}], self.parameters)
        exchange = Exchange(question)
        try:
            await stream(self._loop, exchange, lambda reply: _show(column, model, reply, "…"))
            self.replies[model] = exchange.reply()
        except LmnbError as error:
            self.replies[model] = exchange.so_far("failed")
            self.replies[model].notes = (error.message,)
        except asyncio.CancelledError:
            self.replies[model] = exchange.so_far("interrupted")
        reply = self.replies[model]
        _show(column, model, reply, " · ".join((reply.facts, *reply.notes)))


def _column(model: str) -> HTML:
    column = HTML()
    _show(column, model, Reply(), "…")
    return column


def _show(column: HTML, model: str, reply: Reply, note: str) -> None:
    head = f"<strong>{escape(model)}</strong>"
    column.value = f'<section aria-live="polite">{head}{to_html(reply.text)}{quiet(note)}</section>'
