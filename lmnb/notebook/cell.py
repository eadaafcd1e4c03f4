"""`%%lms`: from the cell's text to the answer below it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lmnb.errors import InvalidAnswer, InvalidRequest, ModelNotFound
from lmnb.notebook import attachments, room
from lmnb.notebook.attachments import Attachment
from lmnb.notebook.chat_options import cell_parser, sampling
from lmnb.notebook.choice import choose_model, loaded_ids
from lmnb.notebook.client import Client
from lmnb.notebook.compare import Comparison, compare
from lmnb.notebook.compare import names as model_names
from lmnb.notebook.completer import ModelNames
from lmnb.notebook.conversation import Conversation
from lmnb.notebook.display import NotebookView, Slot, TerminalView, View
from lmnb.notebook.exchange import Exchange, Message, Question
from lmnb.notebook.formats import INSTRUCTIONS
from lmnb.notebook.images import Image
from lmnb.notebook.interpolation import evaluate, interpolate
from lmnb.notebook.obtain import obtain
from lmnb.notebook.person import Consent, Person
from lmnb.notebook.reply import Reply
from lmnb.notebook.schema import Schema
from lmnb.notebook.screen import Screen
from lmnb.notebook.stats import stats
from lmnb.notebook.tools import Toolbox
from lmnb.notebook.turn import Interrupted, Turn
from lmnb.notebook.values import TableFormat


class Defaults(Protocol):
    """What `%config LMSMagics` sets."""

    @property
    def model(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def max_tokens(self) -> int | None: ...


@dataclass(frozen=True)
class Sent:
    """What a cell sends: the message, and what was made of its line."""

    message: Message
    texts: Sequence[Attachment]
    images: Sequence[Image]
    schema: Schema | None
    tools: Toolbox


class Chat:
    """The `%%lms` cells of one shell, and their conversation."""

    def __init__(
        self, shell: Any, defaults: Defaults, names: ModelNames, screen: Callable[[], Screen]
    ) -> None:
        self._shell, self._defaults = shell, defaults
        self._names, self._screen = names, screen
        self._in_notebook = getattr(shell, "kernel", None) is not None
        self._person = Person(shell)
        self.conversation = Conversation()

    def run(
        self,
        words: Sequence[str],
        cell: str,
        names: Mapping[str, Any],
        client: Callable[[], Client],
    ) -> None:
        """Ask, show, remember. What is wrong with the cell is found before anything is sent."""
        arguments = cell_parser().parse_line(words)
        _check(arguments)
        prompt = (cell if arguments.raw else interpolate(cell, names)).strip()
        if not prompt:
            raise InvalidRequest("The cell holds no message.")
        sent = self._sent(arguments, prompt, names)
        if arguments.compare:
            self._compare(arguments, sent, client())
        else:
            self._ask(arguments, sent, client())

    def aside(self, client: Client, prompt: str, system: str, arguments: Namespace) -> Reply:
        """A question beside the conversation; `arguments` may name a model and a limit."""
        model = self._model(client, arguments.model)
        limit = arguments.max_tokens or self._defaults.max_tokens
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        question = Question(
            model,
            messages,
            {"max_tokens": limit} if limit else {},
        )
        count, context = client.count(model, messages)
        room.check(model, count, context)
        return Turn(client, self._view(), Exchange(question), Toolbox(())).run()

    def _model(self, client: Client, named: str | None) -> str:
        return named or choose_model(
            client.models(), configured=self._defaults.model, previous=self.conversation.model
        )

    def _view(self) -> View:
        return NotebookView() if self._in_notebook else TerminalView()

    def _sent(self, arguments: Namespace, prompt: str, names: Mapping[str, Any]) -> Sent:
        table: TableFormat = "csv" if arguments.csv else "markdown"
        texts = [
            *(
                Attachment.of_value(each, names, rows=arguments.rows, table=table)
                for each in arguments.attach
            ),
            *map(Attachment.of_file, arguments.file),
        ]
        images = [attachments.image_of(each, names) for each in arguments.image]
        if hint := INSTRUCTIONS.get(arguments.format):
            prompt = f"{prompt}\n\n{hint}"
        return Sent(
            attachments.message(prompt, texts, images),
            texts,
            images,
            _schema(arguments.schema, names) if arguments.schema else None,
            self._toolbox(arguments, names),
        )

    def _toolbox(self, arguments: Namespace, names: Mapping[str, Any]) -> Toolbox:
        functions = [evaluate(name, names) for name in model_names(arguments.tools or "")]
        if functions and not arguments.yes and not self._person.is_there:
            raise InvalidRequest(
                "Nobody can be asked here whether the tools may run. `--yes` allows their calls."
            )
        return Toolbox(functions, Consent(always=arguments.yes))

    def _ask(self, arguments: Namespace, sent: Sent, client: Client) -> None:
        view = self._view()
        exchange = self._opened(arguments, sent, client, view)
        try:
            reply = Turn(client, view, exchange, sent.tools).run()
        except Interrupted as stop:
            self._remember(arguments, exchange, stop.reply or Reply())
            raise
        except InvalidAnswer as error:
            self._keep(None, error.reply)
            raise
        self._remember(arguments, exchange, reply)
        if arguments.stats:
            self._screen().show(stats(reply))

    def _opened(self, arguments: Namespace, sent: Sent, client: Client, view: View) -> Exchange:
        """The exchange with a model that is there and has room for it; what is sent is shown."""
        models = client.models()
        self._names.remember(models)
        model = arguments.model or choose_model(
            models, configured=self._defaults.model, previous=self.conversation.model
        )
        if model not in loaded_ids(models):
            view.note(f"loading {model} …")
        try:
            question = self._question(arguments, sent, model)
            model, warning = self._room(client, question, arguments.yes)
            self._show_sent(client, model, sent)
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            view.finish(Reply(model=model, finish_reason="interrupted" if stopped else "failed"))
            raise
        exchange = Exchange(replace(question, model=model))
        if warning:
            exchange.notes = (warning,)
            view.note(warning)
        return exchange

    def _question(self, arguments: Namespace, sent: Sent, model: str) -> Question:
        defaults = {
            "temperature": self._defaults.temperature,
            "max_tokens": self._defaults.max_tokens,
        }
        given = {name: value for name, value in defaults.items() if value is not None}
        return Question(
            model,
            self.conversation.messages(
                sent.message,
                system=arguments.system or "",
                default_system=self._defaults.system,
                history=not arguments.no_history,
            ),
            given | sampling(arguments),
            schema=sent.schema,
            tools=sent.tools.definitions,
            tool_choice=_tool_choice(arguments.tool_choice),
            max_rounds=arguments.max_rounds,
            format=arguments.format,
        )

    def _room(self, client: Client, question: Question, yes: bool) -> tuple[str, str]:
        """The model that will answer, fetched and loaded if need be; and a warning, or nothing."""
        model = question.model
        try:
            count, context = client.count(model, question.messages, **question.fields)
        except ModelNotFound as missing:
            model = obtain(client, model, missing, self._agrees(yes), self._screen())
            count, context = client.count(model, question.messages, **question.fields)
        room.check(model, count, context)
        return model, room.warning(count, context, question.parameters.get("max_tokens"))

    def _agrees(self, yes: bool) -> Callable[[str], bool] | None:
        if yes:
            return lambda question: True
        return self._person.agrees if self._person.is_there else None

    def _show_sent(self, client: Client, model: str, sent: Sent) -> None:
        if not sent.texts and not sent.images:
            return
        tokens = [client.tokens(model, each.block) for each in sent.texts]
        plain, markdown = attachments.summary(sent.texts, tokens, sent.images)
        if self._in_notebook:
            Slot().show(plain, markdown)
        else:
            self._screen().say(plain)

    def _compare(self, arguments: Namespace, sent: Sent, client: Client) -> None:
        questions = {
            name: self._question(arguments, sent, name) for name in model_names(arguments.compare)
        }
        slot = Slot()

        def show(comparison: Comparison) -> None:
            slot.put(comparison._repr_mimebundle_())

        result = compare(
            client.connection, questions, show if self._in_notebook else lambda comparison: None
        )
        if not self._in_notebook:
            self._screen().say(result.to_plain())
        self._keep(arguments.out, result)

    def _remember(self, arguments: Namespace, exchange: Exchange, reply: Reply) -> None:
        """The answer goes into `_`, the variable asked for, and the conversation."""
        out = reply if exchange.question.schema is None else reply.value
        self._keep(arguments.out, reply, out)
        if not arguments.no_history:
            self.conversation.add(exchange.new_messages, reply, system=arguments.system or "")

    def _keep(self, name: str | None, shown: Any, value: Any = None) -> None:
        self._shell.displayhook.update_user_ns(shown)
        if name:
            self._shell.user_ns[name] = shown if value is None else value


def _check(arguments: Namespace) -> None:
    if arguments.out and not arguments.out.isidentifier():
        raise InvalidRequest(f"--out takes the name of a variable, not {arguments.out!r}.")
    if arguments.tool_choice and not arguments.tools:
        raise InvalidRequest("--tool-choice says which of the --tools to call; there are none.")
    if arguments.compare:
        if arguments.model or arguments.tools:
            other = "--model" if arguments.model else "--tools"
            raise InvalidRequest(f"--compare names the models and goes without {other}.")
        if len(model_names(arguments.compare)) < 2:
            raise InvalidRequest("--compare takes two models or more, with commas between them.")


def _schema(text: str, names: Mapping[str, Any]) -> Schema:
    return Schema.of(text if text.lstrip().startswith("{") else evaluate(text, names))


def _tool_choice(text: str | None) -> Any:
    if text is None or text in ("auto", "required", "none"):
        return text or "auto"
    return {"type": "function", "function": {"name": text}}
