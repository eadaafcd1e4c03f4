"""Tab in a shell: `lmnb completion`, and what its script asks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lmnb.errors import LmnbError
from lmnb.notebook.completer import ModelNames, following
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.options import option
from lmnb.notebook.verbs.verb import Verb

ASK = "__complete"
"""The hidden verb of the scripts: the words of the line follow, the last one unfinished."""
BASH = """\
_lmnb() {
    local IFS=$'\\n'
    COMPREPLY=($(lmnb __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _lmnb lmnb"""
SCRIPTS = {
    "bash": BASH,
    "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{BASH}",
    "fish": "complete -c lmnb -a '(lmnb __complete (commandline -opc)[2..] (commandline -ct))'",
}
HOW = {
    "bash": 'eval "$(lmnb completion bash)"',
    "zsh": 'eval "$(lmnb completion zsh)"',
    "fish": "lmnb completion fish | source",
}


def completion(client: None, screen: Screen, arguments: Namespace) -> None:
    """The script for one's shell."""
    screen.write(f"# {HOW[arguments.shell]}\n{SCRIPTS[arguments.shell]}")


def complete(words: Sequence[str], verbs: dict[str, Verb], client: Any) -> list[str]:
    """What may stand in place of the last word. `client` makes a Client; without one, no names."""
    names = ModelNames(list)
    with suppress(LmnbError):
        found: Client = client()
        names.remember(found.models())
    *before, word = words or [""]
    return following(before, word, verbs, names)


VERB = Verb(
    "completion",
    "Print a script that teaches a shell to complete `lmnb`.",
    (option("shell", choices=tuple(SCRIPTS), help="which shell"),),
    completion,
    offline=True,
)
