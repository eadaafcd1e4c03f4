"""`lmnb chat`: a question from the command line or a pipe, or a conversation at the terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import suppress
from typing import Any

from lmnb.errors import LmnbError, ModelNotFound
from lmnb.notebook.cell.chat_options import SAMPLING_OPTIONS, sampling
from lmnb.notebook.cell.obtain import obtain
from lmnb.notebook.cell.stats import stats
from lmnb.notebook.cell.turn import Interrupted, Turn
from lmnb.notebook.chat.conversation import Conversation
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.chat.tools import Toolbox
from lmnb.notebook.choice import choose_model, loaded_ids
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.views import TerminalView, View
from lmnb.notebook.options import count, option
from lmnb.notebook.verbs.verb import Verb

HELP = """\
/model [NAME]     say which model answers, or let another one
/system [TEXT]    a system message, from now on
/stats            after each answer, what it took
/clear            forget the conversation
/help             this
/exit             leave (so does Ctrl-D)"""
HOUR = 3600


class PipeView:
    """Nothing but the answer."""

    def note(self, text: str) -> None:
        pass

    def update(self, reply: Reply, delta: str) -> None:
        sys.stdout.write(delta)
        sys.stdout.flush()

    def finish(self, reply: Reply) -> None:
        sys.stdout.write("\n" if reply.text and not reply.text.endswith("\n") else "")
        sys.stdout.flush()


class TerminalChat:
    """One conversation."""

    def __init__(self, client: Client, screen: Screen, arguments: Namespace) -> None:
        self._client, self._screen = client, screen
        self._model = _model(client, arguments.model)
        self._system: str = arguments.system_prompt or ""
        self._parameters = {"ttl": arguments.ttl, **sampling(arguments)}
        self._stats: bool = arguments.stats
        self._conversation = Conversation()

    def ask(self, prompt: str) -> None:
        """Stream the answer; of a model that is not here after a question and a download. Raises
        Interrupted, LmnbError."""
        try:
            self._ask(prompt)
        except ModelNotFound as missing:
            person = self._screen.person
            agrees = person.agrees if person.is_there else None
            self._model = obtain(self._client, self._model, missing, agrees, self._screen)
            self._ask(prompt)

    def _ask(self, prompt: str) -> None:
        if self._model not in loaded_ids(self._client.models()):
            self._screen.say(f"loading {self._model} …")
        message = {"role": "user", "content": prompt}
        messages = self._conversation.messages(message, system=self._system)
        exchange = Exchange(Question(self._model, messages, self._parameters))
        view: View = TerminalView() if sys.stdout.isatty() else PipeView()
        reply = Turn(self._client, view, exchange, Toolbox(())).run()
        self._conversation.add(exchange.new_messages, reply, system=self._system)
        if self._stats:
            self._screen.say(stats(reply).to_text())

    def talk(self) -> None:
        """Until the end of the input. An interrupt ends an answer, not the conversation."""
        with suppress(ImportError):
            import readline  # noqa: F401 - input() edits lines and remembers them
        self._screen.say(f"{self._model}. /help lists what else can be said; Ctrl-D leaves.")
        while (line := _line()) is not None:
            try:
                if line.startswith("/"):
                    if not self._command(*line[1:].split(maxsplit=1)):
                        return
                elif line:
                    self.ask(line)
            except Interrupted as stop:
                self._screen.say(f"[{stop}]")
            except LmnbError as error:
                self._screen.say(error.message)

    def _command(self, word: str = "", rest: str = "") -> bool:
        """False: leave."""
        if word in ("exit", "quit"):
            return False
        if word == "clear":
            turns = self._conversation.reset()
            count = f"{turns} {'turn' if turns == 1 else 'turns'}"
            self._screen.say(f"A new conversation. ({count} forgotten.)")
        elif word == "model":
            self._model = _model(self._client, rest) if rest else self._model
            self._screen.say(self._model)
        elif word in ("system", "system-prompt"):
            self._system = rest
        elif word == "stats":
            self._stats = not self._stats
        else:
            self._screen.say(HELP)
        return True


def _model(client: Client, named: str | None) -> str:
    return named or choose_model(client.models(), say="`lmnb chat NAME` says which.")


def _line() -> str | None:
    try:
        return input("> ").strip()
    except EOFError:
        print()
        return None


def chat(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """A prompt, what is piped in, or both; at a terminal without a prompt, a conversation."""
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    prompt = "\n\n".join(text for text in (arguments.prompt or "", piped) if text)
    if prompt:
        TerminalChat(client, screen, arguments).ask(prompt)
    elif screen.person.is_there:
        TerminalChat(client, screen, arguments).talk()
    else:
        screen.say("No prompt provided.")
    return None


VERB = Verb(
    "chat",
    "Chat with a model; its input may be piped in.",
    (
        option("model", nargs="?", completes="model", help="a name from `ls`"),
        option("-p", "--prompt", metavar="TEXT", help="ask this, and leave"),
        option("-s", "--system-prompt", metavar="TEXT", help="a system message"),
        option("--stats", action="store_true", help="after each answer, what it took"),
        option(
            "--ttl",
            type=count,
            default=HOUR,
            metavar="SECONDS",
            help="keep a model loaded for this for so long (default: 3600)",
        ),
        *SAMPLING_OPTIONS,
    ),
    chat,
)
