"""`%lms` and `%%lms`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    no_var_expand,
    output_can_be_silenced,
)
from traitlets import Float, Int, Unicode

from lmnb.errors import ContextLengthExceeded, LmnbError, ServerNotFound
from lmnb.notebook.cell.cell import Chat
from lmnb.notebook.cell.chat_options import CELL_EXAMPLES
from lmnb.notebook.cell.chat_verbs import ChatVerbs
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.completer import ModelNames
from lmnb.notebook.connection.session import session
from lmnb.notebook.display.screen import NotebookScreen, Screen, TerminalScreen
from lmnb.notebook.interpolation import interpolate, notebook_names
from lmnb.notebook.options import Helped, split
from lmnb.notebook.person import Person
from lmnb.notebook.verbs import VERBS, Verb, find_verb, overview

CHANGING_VERBS = ("load", "unload", "import", "get", "rm")


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
        self.names = ModelNames(lambda: session.client().models(), _search)
        self.in_notebook = getattr(shell, "kernel", None) is not None
        self._chat = Chat(shell, self, self.names, self._screen)
        self._chat_verbs = ChatVerbs(shell, self._chat)
        help = Verb("help", "Say what there is.", (), self._help, offline=True)
        more = (*self._chat_verbs.verbs, help)
        self.verbs = VERBS | {verb.name: verb for verb in more}

    def close(self) -> None:
        """Leave the shell as it was."""
        self._chat_verbs.close()

    @no_var_expand
    @output_can_be_silenced
    @line_cell_magic
    def lms(self, line: str, cell: str | None = None) -> Any:
        """Replaced by `help_text()` below: `%lms?` shows it."""
        with self._failures():
            words = self._words(line)
            if cell is None:
                return self._verb(words)
            return self._chat.run(words, cell, self.variables(), session.client)

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

    def _help(self, client: Any, screen: Screen, arguments: Namespace) -> None:
        raise Helped(help_text(self.verbs))

    def _words(self, line: str) -> list[str]:
        names = self.variables()
        return [interpolate(word, names) for word in split(line)]

    def variables(self) -> dict[str, Any]:
        """What the user made, by name."""
        return notebook_names(self._ip.user_ns, self._ip.user_ns_hidden)

    def _screen(self) -> Screen:
        person = Person(self._ip)
        return NotebookScreen(person) if self.in_notebook else TerminalScreen(person)

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
            if isinstance(error, ContextLengthExceeded) and "%lms reset" not in error.message:
                hint = " `%lms reset` starts a new conversation."
            raise UsageError(" ".join(error.message.split()) + hint) from error
        except Interrupted:
            raise
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None


def _search(words: str) -> list[Any]:
    found = session.client().json("GET", "api/v1/models/search", params={"q": words})
    return list(found["models"])


def help_text(verbs: dict[str, Verb]) -> str:
    """What `%lms help` and `%lms?` show."""
    return f"""\
Local language models in this notebook.

{overview(verbs, "%lms")}

Each verb has options: `%lms load --help`. `--json` gives the answer as data:
`models = %lms ls --json`.

A cell that begins with %%lms is a message to a model; `%%lms --help` lists its options:
{CELL_EXAMPLES}

`lmnb.chat(...)`, `lmnb.embed(...)` and `lmnb.map(...)` do the same from Python;
`lmnb.client()` is an openai.OpenAI for this server, and a bare `OpenAI()` works too."""


LMSMagics.lms.__doc__ = help_text(VERBS)
