"""One question and its answer, streamed into a view."""

from __future__ import annotations

from contextlib import closing

from lmnb.errors import InvalidAnswer
from lmnb.notebook.chat.exchange import Exchange
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.chat.tools import Toolbox
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.wire import Progress
from lmnb.notebook.display.views import View


class Interrupted(KeyboardInterrupt):
    """The user stopped it. Shows as one line; `reply` is what there was of an answer."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply

    def _render_traceback_(self) -> list[str]:
        return [f"\x1b[31mKeyboardInterrupt\x1b[39m: {self}"]


class Turn:
    """Sends the messages and follows the answer to its end, whichever end that is."""

    def __init__(self, client: Client, view: View, exchange: Exchange, tools: Toolbox) -> None:
        self._client, self._view = client, view
        self._exchange, self._tools = exchange, tools

    def run(self) -> Reply:
        """The whole answer. What had come when it broke off stays in the view, marked."""
        try:
            self._stream()
            while calls := self._exchange.pending:
                self._view.update(self._exchange.reply(), "")
                self._exchange.settle([self._tools.run(call) for call in calls])
                self._view.update(self._exchange.reply(), "")
                self._stream()
            reply = self._exchange.result()
        except KeyboardInterrupt:
            reply = self._exchange.so_far("interrupted")
            self._view.finish(reply)
            raise Interrupted("the answer was stopped; what had come is kept", reply) from None
        except InvalidAnswer:
            self._view.finish(self._exchange.reply())
            raise
        except Exception:
            self._view.finish(self._exchange.so_far("failed"))
            raise
        self._view.finish(reply)
        return reply

    def _stream(self) -> None:
        exchange = self._exchange
        messages, fields = exchange.request()
        with closing(self._client.chat(exchange.question.model, messages, **fields)) as events:
            for event in events:
                if isinstance(event, Progress):
                    self._view.note(f"reading the prompt: {event.done:,} of {event.total:,} tokens")
                    continue
                delta = exchange.take(event)
                self._view.update(exchange.reply(), delta)
