"""Several models on one question, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from lmnb.errors import LmnbError
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.connection import background
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.discovery import Connection
from lmnb.notebook.display.markdown import table


class Comparison(dict[str, Reply]):
    """The reply of each model. Shows as columns, or as a table where there is no HTML."""

    def to_html(self) -> str:
        """A column for each model."""
        columns = "".join(
            f'<section style="min-width:0"><strong>{escape(model)}</strong>'
            f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{escape(reply.text)}</div>'
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
    exchanges = {model: Exchange(question) for model, question in questions.items()}
    failures = dict[str, LmnbError]()

    def so_far(reason: str = "…") -> Comparison:
        return Comparison(
            {
                model: each.reply() if each.reply().finish_reason else each.so_far(reason)
                for model, each in exchanges.items()
            }
        )

    async def follow(client: AsyncClient, model: str, exchange: Exchange) -> None:
        try:
            messages, fields = exchange.request()
            async for event in client.chat(model, messages, **fields):
                exchange.take(event)
        except LmnbError as error:
            failures[model] = error

    async def follow_all() -> None:
        async with AsyncClient(connection) as client:
            await asyncio.gather(*(follow(client, *each) for each in exchanges.items()))

    try:
        background.run(follow_all(), lambda: show(so_far()))
    except KeyboardInterrupt:
        show(so_far("interrupted"))
        raise Interrupted("the answers were stopped; what had come is kept") from None
    if len(failures) == len(exchanges):
        raise next(iter(failures.values()))
    result = so_far("failed")
    for model, exchange in exchanges.items():
        try:
            if model in failures:
                raise failures[model]
            result[model] = exchange.result()
        except LmnbError as error:
            result[model].notes = (error.message,)
    show(result)
    return result


def _inline(text: str) -> str:
    """Text as one line of a table. An image becomes a link: nothing is fetched from a page."""
    return escape(text).replace("![", "&#33;[").replace("\n", "<br>")


def _facts(reply: Reply) -> str:
    return " · ".join((reply.facts.removesuffix(f" · {reply.model}"), *reply.notes))
