"""Several models on one question, side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from lmnb.errors import LmnbError
from lmnb.notebook.answering import follow
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.chat import formats
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.connection import background
from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.display.markdown import table
from lmnb.notebook.display.rendering import pause, to_html


class Comparison(dict[str, Reply]):
    """The reply of each model. Shows as columns, or as a table where there is no HTML."""

    def to_html(self) -> str:
        """A column for each model."""
        columns = "".join(
            f'<section style="min-width:0;overflow:auto;overflow-wrap:anywhere">'
            f"<strong>{escape(model)}</strong>{_to_html(reply)}"
            f"<sub>{escape(_facts(reply))}</sub></section>"
            for model, reply in self.items()
        )
        grid = f"display:grid;grid-template-columns:repeat({len(self)},1fr);gap:1.5em"
        return f'<div style="{grid}">{columns}</div>'

    def to_markdown(self) -> str:
        """A table with a column for each model."""
        texts = [_inline(reply.text.strip()) for reply in self.values()]
        facts = [f"<sub>{escape(_facts(reply))}</sub>" for reply in self.values()]
        return table(list(self), [texts, facts])

    def to_plain(self) -> str:
        """One after the other."""
        return "\n\n".join(
            f"== {model} ==\n{reply.text.strip()}\n[{_facts(reply)}]"
            for model, reply in self.items()
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/plain": self.to_plain(),
            "text/markdown": self.to_markdown(),
            "text/html": self.to_html(),
        }

    def _ipython_display_(self) -> None:
        """IPython's own printer of dicts would go before `_repr_mimebundle_`."""
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)


def compare(
    connection: Connection,
    questions: Mapping[str, Question],
    show: Callable[[Comparison], None],
) -> Comparison:
    """The answers to each model's question, all at the same time; `show` sees them grow.

    A model that fails says so in its column; where all fail, the first failure is raised.
    """
    answers = Answers({model: Exchange(question) for model, question in questions.items()})
    drawn, due = Comparison(), 0.0

    def draw() -> None:
        nonlocal drawn, due
        if time.monotonic() >= due and (now := answers.so_far()) != drawn:
            show(now)
            drawn, due = now, time.monotonic() + pause(sum(map(len, now.values())))

    try:
        background.run(answers.ask(connection), draw)
    except KeyboardInterrupt:
        show(answers.so_far("interrupted"))
        raise Interrupted("the answers were stopped; what had come is kept") from None
    result = answers.result()
    show(result)
    return result


@dataclass
class Answers:
    """Those of several models, as far as they have come."""

    exchanges: Mapping[str, Exchange]
    failures: dict[str, LmnbError] = field(default_factory=dict)

    async def ask(self, connection: Connection) -> None:
        """All of them, until each has answered or failed."""
        async with AsyncClient(connection) as client:
            await asyncio.gather(*(self._ask(client, model) for model in self.exchanges))

    async def _ask(self, client: AsyncClient, model: str) -> None:
        try:
            await follow(client, self.exchanges[model])
        except LmnbError as error:
            self.failures[model] = error

    def so_far(self, reason: str = "…") -> Comparison:
        """`reason` stands where an answer has not ended."""
        return Comparison(
            {
                model: each.reply() if each.reply().finish_reason else each.so_far(reason)
                for model, each in self.exchanges.items()
            }
        )

    def result(self) -> Comparison:
        """The answers, and in their place what went wrong. Raises it where nothing went well."""
        if len(self.failures) == len(self.exchanges):
            raise next(iter(self.failures.values()))
        result = self.so_far("failed")
        for model, exchange in self.exchanges.items():
            try:
                if model in self.failures:
                    raise self.failures[model]
                result[model] = exchange.result()
            except LmnbError as error:
                result[model].notes = (error.message,)
        return result


def _to_html(reply: Reply) -> str:
    plain = reply.shown_as == "markdown"
    return to_html(reply.text if plain else formats.to_markdown(reply.text, reply.shown_as))


def _inline(text: str) -> str:
    """Text as one line of a table. An image becomes a link: nothing is fetched from a page."""
    return escape(text).replace("![", "&#33;[").replace("\n", "<br>")


def _facts(reply: Reply) -> str:
    return " · ".join((reply.facts.removesuffix(f" · {reply.model}"), *reply.notes))
