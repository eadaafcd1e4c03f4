"""Whoever sits before the shell, if anybody: who can be asked."""

from __future__ import annotations

import sys
from typing import Any

from lmnb.notebook.chat.calls import Call

OFFER = "No lmnb server runs for you here. Start one that ends with this session? [Y/n] "


class Someone:
    """Whoever may be asked. This one is not there."""

    @property
    def is_there(self) -> bool:
        """Would a question be answered?"""
        return False

    def agrees(self, question: str) -> bool:
        """Their answer to a question; no is the default. No, too, where nobody is there."""
        return self.is_there and _answer(f"{question} [y/N] ") in ("y", "yes")

    def pick(self, question: str, count: int) -> int | None:
        """A number from 1 to `count`; none, where they want none of them."""
        answer = _answer(f"{question} [1-{count}, Enter for none] ") if self.is_there else ""
        return int(answer) if answer.isdecimal() and 1 <= int(answer) <= count else None


NOBODY = Someone()


class AtTerminal(Someone):
    """Whoever types at the terminal of a command."""

    @property
    def is_there(self) -> bool:
        return sys.stdin.isatty() and sys.stdout.isatty()


class Person(Someone):
    """Asked where front ends have an input box; not in nbconvert, papermill and scripts."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @property
    def is_there(self) -> bool:
        """Would a question be answered? A kernel is told with each cell."""
        kernel = getattr(self._shell, "kernel", None)
        if kernel is not None:
            return bool(getattr(kernel, "_allow_stdin", False))
        return is_attended(self._shell)


class Consent:
    """What the person says to each tool call: yes, no, or yes to all that follow."""

    def __init__(self, *, always: bool = False) -> None:
        self._always = always

    def __call__(self, call: Call) -> bool:
        if not self._always:
            answer = _answer(f"The model wants to run {call}. [y]es, [N]o, [a]ll? ")
            self._always = answer in ("a", "all")
            return self._always or answer in ("y", "yes")
        return True


def is_attended(shell: Any) -> bool:
    """Does a person sit at this shell's prompt? Not in `ipython -c`, scripts, pipes and kernels."""
    if getattr(shell, "kernel", None) is not None:
        return False
    application = getattr(shell, "parent", None)
    is_batch = getattr(application, "something_to_run", False) and not getattr(
        application, "force_interact", False
    )
    return not is_batch and sys.stdin.isatty() and sys.stdout.isatty()


def wants_server() -> bool:
    """Whether a server shall be started for whoever sits at this terminal. Yes is the default."""
    try:
        return input(OFFER).strip().lower() in ("", "y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except (EOFError, RuntimeError):  # RuntimeError: a front end that lost its input
        return ""
