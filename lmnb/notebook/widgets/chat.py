"""A conversation with a model, by mouse and keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, List, Unicode

from lmnb.errors import LmnbError
from lmnb.notebook.chat import room
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.choice import choose_model, language_models
from lmnb.notebook.connection.wire import Model, Progress
from lmnb.notebook.display.rendering import to_html
from lmnb.notebook.widgets.cells import to_cells
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.code import draw_code
from lmnb.notebook.widgets.kept import Kept
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.streaming import stream
from lmnb.notebook.widgets.tree import Tree, Turn

STATIC = Path(__file__).parent / "static"
PARAMETERS = ("temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "reasoning_effort")


class Chat(Kept, anywidget.AnyWidget):
    """`lmnb.Chat()`: talk to a local model. `chat.messages` is the conversation in OpenAI's form."""

    instead = "`%%lms`, `lmnb.chat(...)`, or `lmnb chat` in a terminal."

    _esm = STATIC / "chat.js"
    _css = STATIC / "chat.css"

    model = Unicode("", help="Its name; empty: the loaded one.").tag(sync=True)
    system = Unicode("", help="What the model is told before the conversation.").tag(sync=True)
    parameters = Dict(help="Sampling, by OpenAI's names.").tag(sync=True)
    models = List(Dict()).tag(sync=True)
    turns = List(Dict()).tag(sync=True)
    meter = Dict().tag(sync=True)
    busy = Bool(False).tag(sync=True)
    note = Unicode("").tag(sync=True)
    error = Unicode("").tag(sync=True)

    def __init__(
        self, model: str = "", *, system: str = "", loop: Loop = loop, **parameters: Any
    ) -> None:
        super().__init__(model=model, system=system, parameters=parameters)
        self._tree = Tree()
        self._loop = loop
        self._running: Future[None] | None = None
        if unknown := ", ".join(sorted(set(parameters) - set(PARAMETERS))):
            self.close()
            raise TypeError(f"Chat() takes {', '.join(PARAMETERS)}; not {unknown}")
        self.on_msg(self._heard)
        self.refresh()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was said on the branch that shows, in OpenAI's form."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *(turn.message for turn in self._tree.path())]

    def ask(self, text: str, images: Sequence[str] = ()) -> None:
        """Send a message. The answer comes in the widget."""
        if not self.busy and (text.strip() or images):
            path = self._tree.path()
            self._answer(self._tree.add(path[-1] if path else None, "user", text, images))

    def stop(self) -> None:
        """End the answer that is coming; what has come stays."""
        if self._running is not None:
            self._running.cancel()

    def clear(self) -> None:
        """A new conversation."""
        if not self.busy:
            self._tree.clear()
            self.meter, self.error = {}, ""
            self._show()

    def refresh(self) -> None:
        """Models may have come or gone."""
        self._loop.run(self._look())

    def transcript(self) -> str:
        """The branch that shows, as Markdown."""
        names = {"user": "You", "assistant": "Answer"}
        parts = [f"**System**\n\n{self.system}"] if self.system and len(self._tree) else []
        for turn in self._tree.path():
            name = turn.reply.model if turn.reply and turn.reply.model else names[turn.role]
            text = turn.reply.to_markdown() if turn.reply else turn.text
            parts.append(f"**{name}**\n\n{text or turn.error}")
        return "\n\n".join(parts)

    def close(self) -> None:
        """End what runs, and give the browser's side up."""
        self.stop()
        close_parts(self)
        super().close()

    # -- what the person does -----------------------------------------------------------------

    def _heard(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        """A message from the browser."""
        kind = content.get("kind")
        if kind == "stop":
            self.stop()
        elif kind == "look":
            self.refresh()
        elif kind == "cells":
            self.send({"kind": "cells", "cells": to_cells(self._tree.path(), self.system)})
        elif not self.busy:
            actions: dict[Any, Callable[[Mapping[str, Any]], None]] = {
                "ask": lambda said: self.ask(said["text"], said.get("images") or ()),
                "edit": self._edit,
                "again": self._again,
                "branch": self._branch,
                "clear": lambda _: self.clear(),
            }
            if kind in actions:
                actions[kind](content)

    def _edit(self, said: Mapping[str, Any]) -> None:
        """A message is sent anew, changed. The old one, with all after it, stays as a branch."""
        self._answer(self._tree.beside(self._tree[said["id"]], said["text"]))

    def _again(self, said: Mapping[str, Any]) -> None:
        """Another answer in the place of this one."""
        question = self._tree[said["id"]].parent
        assert question is not None
        self._answer(question)

    def _branch(self, said: Mapping[str, Any]) -> None:
        turn = self._tree[said["id"]]
        siblings = turn.siblings
        at = siblings.index(turn) + int(said["step"])
        self._tree.follow(siblings[min(max(at, 0), len(siblings) - 1)])
        self._show()
        self.keep()

    # -- the answer ---------------------------------------------------------------------------

    def _answer(self, question: Turn) -> None:
        answer = self._tree.add(question, "assistant")
        answer.state = "streaming"
        self.busy, self.error = True, ""
        self._show()
        self._running = self._loop.run(self._follow(question, answer))

    async def _follow(self, question: Turn, answer: Turn) -> None:
        exchange: Exchange | None = None
        try:
            exchange = await self._exchange(question)
            await stream(self._loop, exchange, lambda reply: self._grow(answer, reply), self._read)
            answer.reply, answer.state = exchange.reply(), "done"
        except asyncio.CancelledError:
            answer.reply = exchange.so_far("interrupted") if exchange else None
            answer.state = "interrupted"
        except LmnbError as error:
            answer.reply = exchange.so_far("failed") if exchange else None
            answer.state, answer.error = "failed", error.message
        finally:
            self._finish(answer)

    async def _exchange(self, question: Turn) -> Exchange:
        if not self.model or not self.models:
            await self._look()
        if not self.model:
            self.model = choose_model(await self._known())
        messages = [turn.message for turn in self._tree.path_to(question)]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        given = {name: value for name, value in self.parameters.items() if value not in (None, "")}
        if not any(one["loaded"] for one in self.models if one["key"] == self.model):
            self.note = f"loading {self.model} …"
        return Exchange(Question(self.model, messages, given))

    def _read(self, progress: Progress) -> None:
        self.note = f"reading the prompt: {progress.done:,} of {progress.total:,} tokens"

    def _grow(self, answer: Turn, reply: Reply) -> None:
        """The answer so far: this turn alone, for the others have not changed."""
        self.note = ""
        answer.reply = reply
        self.send({"kind": "grow", "turn": view(answer)})

    def _finish(self, answer: Turn) -> None:
        reply = answer.reply
        answer.text = reply.text if reply else ""
        used = reply.usage.get("total_tokens", 0) if reply else 0
        context = reply.timings.get("context_length", 0) if reply else 0
        if used and context:
            warning = room.warning(used, context)
            self.meter = {"used": used, "total": context, "warning": warning}
        self.note = ""
        self._show()
        self.keep()
        self.busy = False
        self.refresh()

    # -- what shows ---------------------------------------------------------------------------

    def _show(self) -> None:
        self.turns = [view(turn) for turn in self._tree.path()]

    async def _known(self) -> list[Model]:
        models: list[Model] = (await (await self._loop.client()).json("GET", "api/v1/models"))[
            "models"
        ]
        return models

    async def _look(self) -> None:
        """Which models there are."""
        try:
            known = await self._known()
        except LmnbError as error:
            self.error = error.message
            return
        talking = language_models(known)
        self.models = [choice(one) for one in talking]
        if not self.model and talking:
            loaded = [one["key"] for one in self.models if one["loaded"]]
            self.model = (loaded or [one["key"] for one in self.models])[0]


def choice(model: Model) -> dict[str, Any]:
    """A line of the list of models."""
    return {"key": model["key"], "loaded": bool(model.get("loaded_instances"))}


def view(turn: Turn) -> dict[str, Any]:
    """A turn as the browser shows it."""
    reply = turn.reply
    text = reply.text if reply else turn.text
    return {
        "id": turn.id,
        "role": turn.role,
        "name": (reply.model if reply else "") or {"user": "You", "assistant": "Answer"}[turn.role],
        "text": text,
        "html": to_html(text, draw_code) if text else "",
        "thought": to_html(reply.reasoning, draw_code) if reply and reply.reasoning else "",
        "facts": reply.facts if reply and turn.state != "streaming" else "",
        "images": list(turn.images),
        "state": turn.state,
        "error": turn.error,
        "at": turn.siblings.index(turn) + 1,
        "of": len(turn.siblings),
    }
