"""`%lms` and `%%lms`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Float, Int, Unicode

from lmnb.errors import ContextLengthExceeded, InvalidRequest, LmnbError, ServerNotFound
from lmnb.notebook.chat_options import cell_parser, sampling
from lmnb.notebook.choice import choose_model, loaded_ids
from lmnb.notebook.client import Client
from lmnb.notebook.completer import ModelNames
from lmnb.notebook.conversation import Conversation
from lmnb.notebook.display import NotebookView, TerminalView, View
from lmnb.notebook.interpolation import interpolate, notebook_names
from lmnb.notebook.options import Helped, split
from lmnb.notebook.reply import Reply
from lmnb.notebook.screen import NotebookScreen, Screen, TerminalScreen
from lmnb.notebook.session import session
from lmnb.notebook.turn import Interrupted, Turn
from lmnb.notebook.verbs import VERBS, Verb, find_verb, overview

CHANGING_VERBS = ("load", "unload", "import")


@magics_class
class LMSMagics(Magics):
    """What `%config LMSMagics` shows and sets."""

    model = Unicode("", help="The model of `%%lms` cells that name none.").tag(config=True)
    system = Unicode("", help="The system message of conversations.").tag(config=True)
    temperature = Float(None, allow_none=True, help="Temperature of `%%lms`.").tag(config=True)
    max_tokens = Int(None, allow_none=True, help="Longest answer of `%%lms`.").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._ip = shell
        self.conversation = Conversation()
        self.names = ModelNames(lambda: session.client().models())
        self.in_notebook = getattr(shell, "kernel", None) is not None
        self.verbs = VERBS | {
            verb.name: verb
            for verb in (
                Verb(
                    "reset",
                    "Forget the conversation of the `%%lms` cells.",
                    (),
                    self._reset,
                    offline=True,
                ),
                Verb("help", "Say what there is.", (), self._help, offline=True),
            )
        }

    @no_var_expand
    @line_cell_magic
    def lms(self, line: str, cell: str | None = None) -> Any:
        """Replaced by `help_text()` below: `%lms?` shows it."""
        with self._failures():
            words = self._words(line)
            return self._verb(words) if cell is None else self._chat(words, cell)

    def _verb(self, words: list[str]) -> Any:
        if not words or words[0] in ("-h", "--help"):
            words = ["help"]
        verb, rest = find_verb(words, self.verbs, "%lms")
        arguments = verb.parser("%lms").parse_line(rest)
        client = None if verb.offline else session.client()
        result = verb.run(client, self._screen(), arguments)
        if verb.name in CHANGING_VERBS:
            self.names.expire()
        return result

    def _chat(self, words: list[str], cell: str) -> None:
        arguments = cell_parser().parse_line(words)
        if arguments.out and not arguments.out.isidentifier():
            raise InvalidRequest(f"--out takes the name of a variable, not {arguments.out!r}.")
        prompt = (cell if arguments.raw else interpolate(cell, self._namespace())).strip()
        if not prompt:
            raise InvalidRequest("The cell holds no message.")
        try:
            self._remember(prompt, arguments, self._ask(prompt, arguments, session.client()))
        except Interrupted as stop:
            self._remember(prompt, arguments, stop.reply or Reply())
            raise

    def _ask(self, prompt: str, arguments: Namespace, client: Client) -> Reply:
        models = client.models()
        self.names.remember(models)
        model = arguments.model or choose_model(
            models, configured=self.model, previous=self.conversation.model
        )
        view: View = NotebookView() if self.in_notebook else TerminalView()
        if model not in loaded_ids(models):
            view.note(f"loading {model} …")
        messages = self.conversation.messages(
            prompt,
            system=arguments.system or "",
            default_system=self.system,
            history=not arguments.no_history,
        )
        defaults = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        given = {name: value for name, value in defaults.items() if value is not None}
        return Turn(client, view, model).run(messages, given | sampling(arguments))

    def _remember(self, prompt: str, arguments: Namespace, reply: Reply) -> None:
        """The answer goes into `_`, the variable asked for, and the conversation."""
        self._ip.displayhook.update_user_ns(reply)
        if arguments.out:
            self._ip.user_ns[arguments.out] = reply
        if not arguments.no_history:
            self.conversation.add(
                prompt, reply.text, model=reply.model, system=arguments.system or ""
            )

    def _reset(self, client: Any, screen: Screen, arguments: Namespace) -> None:
        turns = self.conversation.reset()
        screen.say(f"A new conversation. ({turns} {'turn' if turns == 1 else 'turns'} forgotten.)")

    def _help(self, client: Any, screen: Screen, arguments: Namespace) -> None:
        raise Helped(help_text(self.verbs))

    def _words(self, line: str) -> list[str]:
        names = self._namespace()
        return [interpolate(word, names) for word in split(line)]

    def _namespace(self) -> dict[str, Any]:
        return notebook_names(self._ip.user_ns, self._ip.user_ns_hidden)

    def _screen(self) -> Screen:
        return NotebookScreen() if self.in_notebook else TerminalScreen()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Every failure is one line, and fails the cell; help is none."""
        try:
            yield
        except Helped as help:
            print(help.args[0])
        except LmnbError as error:
            if isinstance(error, ServerNotFound):
                session.forget()
            hint = ""
            if isinstance(error, ContextLengthExceeded) and self.conversation.turns:
                hint = " `%lms reset` starts a new conversation."
            raise UsageError(" ".join(error.message.split()) + hint) from error
        except Interrupted:
            raise
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None


def help_text(verbs: dict[str, Verb]) -> str:
    """What `%lms help` and `%lms?` show."""
    return f"""\
Local language models in this notebook.

{overview(verbs, "%lms")}

Each verb has options: `%lms load --help`. `--json` gives the answer as data:
`models = %lms ls --json`.

A cell that begins with %%lms is a message to a model: `%%lms --help`.
`lmnb.client()` is an openai.OpenAI for this server; a bare `OpenAI()` works too."""


LMSMagics.lms.__doc__ = help_text(
    VERBS | {"reset": Verb("reset", "Forget the conversation.", (), lambda *_: None)}
)
