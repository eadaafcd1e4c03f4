"""`lmnb.chat`: a question, a Reply."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, Self, overload

from lmnb.notebook.api.connect import connected
from lmnb.notebook.api.question import SAY_MODEL, Asked
from lmnb.notebook.chat.exchange import MAX_ROUNDS, Exchange
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.chat.tools import Confirm, Toolbox
from lmnb.notebook.choice import choose_model
from lmnb.notebook.connection.client import Client

Prompt = str | Sequence[Mapping[str, Any]]


class Streamed:
    """What a stream has told so far."""

    _exchange: Exchange
    _reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The answer: whole once the stream has ended, until then what has come."""
        return self._exchange.reply() if self._reply is None else self._reply

    @property
    def text(self) -> str:
        return self.reply.text

    @property
    def reasoning(self) -> str:
        return self.reply.reasoning

    @property
    def value(self) -> Any:
        """With a schema, the value: once the stream has ended."""
        return self.reply.value

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens: once the stream has ended."""
        return self.reply.usage


class ReplyStream(Streamed, Iterator[str]):
    """The pieces of an answer's text. Leaving its `with` block, or `close()`, stops the model."""

    def __init__(self, client: Client, exchange: Exchange, tools: Toolbox) -> None:
        self._exchange = exchange
        self._pieces = self._follow(client, tools)

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop. What has come stays."""
        self._pieces.close()

    def _follow(self, client: Client, tools: Toolbox) -> Generator[str]:
        exchange = self._exchange
        while True:
            messages, fields = exchange.request()
            with closing(client.chat(exchange.question.model, messages, **fields)) as events:
                for event in events:
                    if piece := exchange.take(event):
                        yield piece
            if not exchange.pending:
                break
            exchange.settle([tools.run(call) for call in exchange.pending])
        self._reply = exchange.result()


@overload
def chat(prompt: Prompt, *, stream: Literal[False] = ..., **options: Any) -> Reply: ...
@overload
def chat(prompt: Prompt, *, stream: Literal[True], **options: Any) -> ReplyStream: ...
def chat(
    prompt: Prompt,
    *,
    model: str | None = None,
    system: str | None = None,
    schema: Any = None,
    tools: Sequence[Any] = (),
    tool_choice: Any = "auto",
    max_rounds: int = MAX_ROUNDS,
    confirm: Confirm | None = None,
    images: Any = (),
    stream: bool = False,
    **sampling: Any,
) -> Reply | ReplyStream:
    """Ask a model. Each call stands for itself: there is no conversation but the messages given.

    `prompt` is a text, or messages in OpenAI's form. `schema` (a pydantic model, dataclass,
    TypedDict, other type, or JSON schema) gives `Reply.value`. `tools` are functions that the model
    may call, without a question unless `confirm(call)` asks one; at most `max_rounds` answers.
    `images` are files, addresses, bytes, PIL images or figures. `stream=True` gives an iterator of
    the text's pieces. `sampling` is `temperature`, `max_tokens`, `seed`, `stop`, ...

        lmnb.chat("2 + 2?", temperature=0)
        lmnb.chat("The invoice: ...", schema=Invoice).value
        for piece in lmnb.chat("Tell me a story.", stream=True): print(piece, end="")

    Raises lmnb.errors.LmnbError, with the server's words: ModelNotFound, InvalidRequest,
    ContextLengthExceeded; InvalidAnswer where the answer has no value of the schema.
    """
    asked = Asked.of(
        prompt,
        system=system,
        schema=schema,
        tools=tools,
        tool_choice=tool_choice,
        max_rounds=max_rounds,
        confirm=confirm,
        images=images,
        **sampling,
    )
    client = connected()
    name = model or choose_model(client.models(), say=SAY_MODEL)
    answer = ReplyStream(client, Exchange(asked.of_model(name)), asked.tools)
    if stream:
        return answer
    for _ in answer:
        pass
    return answer.reply
