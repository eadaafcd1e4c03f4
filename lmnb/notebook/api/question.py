"""A call of `lmnb.chat` as a Question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat import attachments
from lmnb.notebook.chat.exchange import MAX_ROUNDS, Message, Question
from lmnb.notebook.chat.images import Image
from lmnb.notebook.chat.schema import Schema
from lmnb.notebook.chat.tools import Confirm, Toolbox

SAY_MODEL = "Say it with `model=`."


@dataclass(frozen=True)
class Asked:
    """What was asked, but for the model; and the tools that may be called."""

    messages: Sequence[Message]
    schema: Schema | None
    tools: Toolbox
    tool_choice: Any
    max_rounds: int
    sampling: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        system: str | None = None,
        schema: Any = None,
        tools: Iterable[Any] = (),
        tool_choice: Any = "auto",
        max_rounds: int = MAX_ROUNDS,
        confirm: Confirm | None = None,
        images: Any = (),
        **sampling: Any,
    ) -> Asked:
        """Raises InvalidRequest for what can be seen to be wrong before a server is asked."""
        if tool_choice not in ("auto", "required", "none") and isinstance(tool_choice, str):
            tool_choice = {"type": "function", "function": {"name": tool_choice}}
        if max_rounds < 1:
            raise InvalidRequest("max_rounds is at least 1.")
        return cls(
            _messages(prompt, system, images),
            None if schema is None else Schema.of(schema),
            Toolbox(tools, confirm),
            tool_choice,
            max_rounds,
            sampling,
        )

    def of_model(self, model: str) -> Question:
        """The question to one model."""
        return Question(
            model,
            self.messages,
            self.sampling,
            schema=self.schema,
            tools=self.tools.definitions,
            tool_choice=self.tool_choice,
            max_rounds=self.max_rounds,
        )


def _messages(
    prompt: str | Sequence[Mapping[str, Any]], system: str | None, images: Any
) -> list[Message]:
    before = [{"role": "system", "content": system}] if system else []
    pictures = [Image.of(each) for each in _several(images)]
    if isinstance(prompt, str):
        return [*before, attachments.message(prompt, [], pictures)]
    if pictures:
        raise InvalidRequest("images= goes with a prompt; in messages they are content parts.")
    messages = [dict(message) for message in prompt]
    if not messages:
        raise InvalidRequest("There is no message to answer.")
    return [*before, *messages]


def _several(images: Any) -> Iterable[Any]:
    """One picture is as good as a list of one."""
    return images if isinstance(images, list | tuple) else [images]
