"""What `%load_ext lmnb` does, and undoes."""

from __future__ import annotations

import sys
from typing import Any

from lmnb.errors import ServerNotFound
from lmnb.notebook.completer import matcher
from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.sdk import OpenAIEnvironment
from lmnb.notebook.connection.session import session
from lmnb.notebook.magics import LMSMagics
from lmnb.notebook.person import is_attended, wants_server

_environment = OpenAIEnvironment()
_loaded: dict[int, tuple[LMSMagics, Any]] = {}


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and Tab, find the server, and let a bare `OpenAI()` find it too."""
    magics = LMSMagics(shell)
    shell.register_magics(magics)
    complete = matcher(magics.verbs, magics.names, magics.variables)
    shell.Completer.custom_matchers.append(complete)
    _loaded[id(shell)] = magics, complete
    try:
        _environment.point_to(connect(shell))
    except ServerNotFound as error:
        print(error.message, file=sys.stderr)
        return
    magics.names.refresh()


def unload_ipython_extension(shell: Any) -> None:
    """Leave the shell as it was."""
    magics, complete = _loaded.pop(id(shell))
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("lms", None)
    shell.configurables.remove(magics)
    magics.close()
    shell.Completer.custom_matchers.remove(complete)
    _environment.restore()


def connect(shell: Any) -> Connection:
    """The server; where there is none and somebody is there to say yes, a new one."""
    try:
        return session.connection()
    except ServerNotFound:
        if not is_attended(shell) or not wants_server():
            raise
    print("Starting lmnb …", end=" ", flush=True)
    connection = session.start_local()
    print(f"it serves at {connection.openai_base_url}")
    return connection
