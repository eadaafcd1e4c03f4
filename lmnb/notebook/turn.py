"""One question and its answer, streamed into a view."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from lmnb.notebook.client import Client
from lmnb.notebook.display import View
from lmnb.notebook.reply import Reply
from lmnb.notebook.wire import End, Progress, Reasoning, Text


class Interrupted(KeyboardInterrupt):
    """The user stopped it. Shows as one line; `reply` is what there was of an answer."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply

    def _render_traceback_(self) -> list[str]:
        return [f"\x1b[31mKeyboardInterrupt\x1b[39m: {self}"]


@dataclass
class Turn:
    """Sends the messages and follows the answer to its end, whichever end that is."""

    client: Client
    view: View
    model: str
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _first: float | None = None

    def run(self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> Reply:
        """The whole answer. What had come when it broke off stays in the view, marked."""
        try:
            reply = self._follow(messages, parameters)
        except KeyboardInterrupt:
            reply = self._so_far("interrupted")
            self.view.finish(reply)
            raise Interrupted("the answer was stopped; what had come is kept", reply) from None
        except Exception:
            self.view.finish(self._so_far("failed"))
            raise
        self.view.finish(reply)
        return reply

    def _follow(
        self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
    ) -> Reply:
        with closing(self.client.chat(self.model, messages, **parameters)) as events:
            for event in events:
                if isinstance(event, Progress):
                    self.view.note(f"reading the prompt: {event.done:,} of {event.total:,} tokens")
                elif isinstance(event, End):
                    return self._reply(event.reason, event.model, event.usage, event.timings)
                else:
                    self._take(event)
        raise AssertionError("a stream of chat events ends with End")

    def _take(self, event: Text | Reasoning) -> None:
        if self._first is None:
            self._first = time.monotonic()
        is_text = isinstance(event, Text)
        (self._text if is_text else self._reasoning).append(event.text)
        self.view.update(self._reply("", self.model), event.text if is_text else "")

    def _so_far(self, reason: str) -> Reply:
        """What had come, timed by our own clock: the server did not get to say."""
        timings = dict[str, Any]()
        if self._first is not None:
            elapsed = time.monotonic() - self._first
            timings["first_token_ms"] = (self._first - self._began) * 1000
            timings["predicted_ms"] = elapsed * 1000
        return self._reply(reason, self.model, timings=timings)

    def _reply(
        self,
        reason: str,
        model: str,
        usage: dict[str, Any] | None = None,
        timings: dict[str, Any] | None = None,
    ) -> Reply:
        return Reply(
            "".join(self._text),
            model=model,
            reasoning="".join(self._reasoning),
            finish_reason=reason,
            usage=usage,
            timings=timings,
        )
