"""The server of whoever calls, and where to show them progress."""

from __future__ import annotations

import sys

from lmnb.errors import ServerNotFound
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.session import session
from lmnb.notebook.display.screen import NotebookScreen, Screen, TerminalScreen
from lmnb.notebook.person import wants_server


def connected() -> Client:
    """A client of this process's server. In a terminal, offers to start one where there is none."""
    try:
        return session.client()
    except ServerNotFound:
        if in_notebook() or not (sys.stdin.isatty() and sys.stdout.isatty()) or not wants_server():
            raise
    session.start_local()
    return session.client()


def in_notebook() -> bool:
    """Is this a kernel?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def screen() -> Screen:
    """A cell's output, or the terminal."""
    return NotebookScreen() if in_notebook() else TerminalScreen()
