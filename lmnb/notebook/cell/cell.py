"""`%%lms`: from the cell's text to the answer below it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lmnb.errors import InvalidAnswer, ModelNotFound
from lmnb.notebook.cell.chat_options import cell_parser, sampling
from lmnb.notebook.cell.compare import Comparison, compare
from lmnb.notebook.cell.obtain import obtain
from lmnb.notebook.cell.sending import Sent, split_names
from lmnb.notebook.cell.stats import stats
from lmnb.notebook.cell.turn import Interrupted, Turn
from lmnb.notebook.chat import attachments, room
from lmnb.notebook.chat.conversation import Conversation
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.chat.tools import Toolbox
from lmnb.notebook.choice import choose_model, loaded_ids
from lmnb.notebook.completer import ModelNames
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.views import NotebookView, Slot, TerminalView, View
from lmnb.notebook.person import Person


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
        variables: Mapping[str, Any],
        client: Callable[[], Client],
    ) -> None:
        """Ask, show, remember. What is wrong with the cell is found before anything is sent."""
        arguments = cell_parser().parse_line(words)
        sent = Sent.of(arguments, cell, variables, self._person)
        if arguments.compare:
            self._compare(arguments, sent, client())
        else:
            self._ask(arguments, sent, client())

    def aside(self, client: Client, prompt: str, system: str, arguments: Namespace) -> Reply:
        """A question beside the conversation; `arguments` may name a model and a limit."""
        limit = arguments.max_tokens or self._defaults.max_tokens
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        view, parameters = self._view(), {"max_tokens": limit} if limit else {}
        question = Question(self._model(client, arguments.model, view), messages, parameters)
        exchange = self._admitted(client, view, question, None)
        return Turn(client, view, exchange, Toolbox(())).run()

    def _ask(self, arguments: Namespace, sent: Sent, client: Client) -> None:
        view = self._view()
        model = self._model(client, arguments.model, view)
        question = self._question(arguments, sent, model)
        exchange = self._admitted(client, view, question, sent, yes=arguments.yes)
        try:
            reply = Turn(client, view, exchange, sent.tools).run()
        except Interrupted as stop:
            self._remember(arguments, exchange, stop.reply or Reply())
            raise
        except InvalidAnswer as error:
            self._shell.displayhook.update_user_ns(error.reply)
            raise
        self._remember(arguments, exchange, reply)
        if arguments.stats:
            self._screen().show(stats(reply))

    def _compare(self, arguments: Namespace, sent: Sent, client: Client) -> None:
        names = split_names(arguments.compare)
        questions = {name: self._question(arguments, sent, name) for name in names}
        self._show_sent(sent)
        slot = Slot()

        def show(comparison: Comparison) -> None:
            if self._in_notebook:
                slot.put(comparison._repr_mimebundle_())

        result = compare(client.connection, questions, show)
        if not self._in_notebook:
            self._screen().say(result.to_plain())
        self._keep(arguments.out, result)

    def _model(self, client: Client, named: str | None, view: View) -> str:
        models = client.models()
        self._names.remember(models)
        model = named or choose_model(
            models, configured=self._defaults.model, previous=self.conversation.model
        )
        if model not in loaded_ids(models):
            view.note(f"loading {model} …")
        return model

    def _view(self) -> View:
        return NotebookView() if self._in_notebook else TerminalView()

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
            tool_choice=sent.tool_choice,
            max_rounds=arguments.max_rounds,
            format=arguments.format,
        )

    def _admitted(
        self,
        client: Client,
        view: View,
        question: Question,
        sent: Sent | None,
        *,
        yes: bool = False,
    ) -> Exchange:
        """The exchange with a model that is here and has room for it; what goes along is shown."""
        try:
            question, warning = self._room(client, question, yes)
            if sent is not None:
                self._show_sent(sent, lambda text: client.tokens(question.model, text))
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            view.finish(Reply(model=question.model, finish_reason=reason))
            raise
        exchange = Exchange(question)
        if warning:
            exchange.notes = (warning,)
            view.note(warning)
        return exchange

    def _room(self, client: Client, question: Question, yes: bool) -> tuple[Question, str]:
        """The question to the model, fetched and loaded if need be; and a warning, or nothing."""
        try:
            count, context = client.count(question.model, question.messages, **question.fields)
        except ModelNotFound as missing:
            agrees = self._person.agrees if self._person.is_there else None
            if yes:
                agrees = _always
            model = obtain(client, question.model, missing, agrees, self._screen())
            question = replace(question, model=model)
            count, context = client.count(model, question.messages, **question.fields)
        room.check(question.model, count, context)
        return question, room.warning(count, context, question.parameters.get("max_tokens"))

    def _show_sent(self, sent: Sent, count: Callable[[str], int] | None = None) -> None:
        """What goes along with the message; each text with its tokens, where one model counts."""
        if not sent.texts and not sent.images:
            return
        tokens = [count(each.block) if count else None for each in sent.texts]
        plain, markdown = attachments.summary(sent.texts, tokens, sent.images)
        if self._in_notebook:
            Slot().show(plain, markdown)
        else:
            self._screen().say(plain)

    def _remember(self, arguments: Namespace, exchange: Exchange, reply: Reply) -> None:
        """The answer goes into `_`, the variable asked for, and the conversation."""
        self._keep(arguments.out, reply, exchange.question.schema is not None)
        if not arguments.no_history:
            self.conversation.add(exchange.new_messages, reply, system=arguments.system or "")

    def _keep(self, name: str | None, shown: Any, as_value: bool = False) -> None:
        self._shell.displayhook.update_user_ns(shown)
        if name and not as_value:
            self._shell.user_ns[name] = shown
        elif name and shown.finish_reason != "interrupted":  # it has no value then
            self._shell.user_ns[name] = shown.value


def _always(question: str) -> bool:
    return True
