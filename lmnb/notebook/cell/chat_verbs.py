"""The verbs of `%lms` that concern the conversation and the notebook, not the server."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.cell import export
from lmnb.notebook.cell.cell import Chat
from lmnb.notebook.cell.fix import SYSTEM, Failure, LastFailure, correction
from lmnb.notebook.chat.conversation import texts
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import JsonList, Table
from lmnb.notebook.options import count, option
from lmnb.notebook.verbs import Verb

WIDTH = 200
"""Characters of a message in the table."""


class ChatVerbs:
    """What can be done with a shell's conversation and its last error."""

    def __init__(self, shell: Any, chat: Chat) -> None:
        self._shell, self._chat = shell, chat
        self._failures = LastFailure(shell)
        self._offered: tuple[Failure, str] | None = None

    def close(self) -> None:
        """Leave the shell as it was."""
        self._failures.forget()

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Each with its options, for the table of `%lms`."""
        return (
            Verb(
                "fix",
                "Explain the last error, and offer a corrected cell.",
                (
                    option("--apply", action="store_true", help="put the cell below this one"),
                    option("-m", "--model", completes="model", metavar="NAME", help="who is asked"),
                    option("--max-tokens", type=count, metavar="N", help="longest answer"),
                ),
                self._fix,
            ),
            Verb(
                "history",
                "Show the conversation of the `%%lms` cells.",
                (option("--json", action="store_true", help="as OpenAI's messages"),),
                self._history,
                offline=True,
            ),
            Verb(
                "export",
                "Write the conversation to a file.",
                (
                    option(
                        "file", completes="file", help=".md, .json, .jsonl (OpenAI's), or .ipynb"
                    ),
                    option("-f", "--force", action="store_true", help="replace a file"),
                ),
                self._export,
                offline=True,
            ),
            Verb("reset", "Forget the conversation.", (), self._reset, offline=True),
        )

    def _fix(self, client: Client, screen: Screen, arguments: Namespace) -> None:
        failure = self._failures.get()
        if not arguments.apply or self._offered is None or self._offered[0] != failure:
            reply = self._chat.aside(client, failure.prompt, SYSTEM, arguments)
            self._offered = failure, correction(reply.text)
        cell = self._offered[1]
        if not cell:
            raise InvalidRequest("The model gave no corrected cell. Ask again, or another model.")
        if arguments.apply:
            self._shell.set_next_input(cell, replace=False)
        else:
            screen.say("`%lms fix --apply` puts the corrected cell below.")

    def _history(self, client: Any, screen: Screen, arguments: Namespace) -> Any:
        messages = self._chat.conversation.so_far()
        if arguments.json:
            return JsonList(messages)
        if not messages:
            screen.say("No conversation yet. A cell that begins with %%lms begins one.")
            return None
        rows = [[role, _short(text)] for role, text in texts(messages)]
        turns = len(self._chat.conversation.turns)
        screen.show(Table(("WHO", "WHAT"), rows, f"{turns} {'turn' if turns == 1 else 'turns'}."))
        return None

    def _export(self, client: Any, screen: Screen, arguments: Namespace) -> None:
        path = export.write(self._chat.conversation, arguments.file, replace=arguments.force)
        screen.say(f"The conversation is in {path}.")

    def _reset(self, client: Any, screen: Screen, arguments: Namespace) -> None:
        turns = self._chat.conversation.reset()
        screen.say(f"A new conversation. ({turns} {'turn' if turns == 1 else 'turns'} forgotten.)")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[:WIDTH]} … ({len(text):,} characters)"
