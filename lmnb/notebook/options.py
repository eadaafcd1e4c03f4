"""What can be asked on a `%lms` or `%%lms` line: one table each, read by parser, help and Tab."""

from __future__ import annotations

import argparse
import difflib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lmnb.errors import InvalidRequest


@dataclass(frozen=True)
class Option:
    """One argument: what argparse's `add_argument` takes."""

    flags: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    completes: str = ""
    """What its value is, for Tab: `model` (`models` between commas), `loaded`, `remote`, `file`,
    `variable`, `function`, `schema`, or nothing known."""

    @property
    def is_flag(self) -> bool:
        return self.flags[0].startswith("-")


def option(*flags: str, completes: str = "", **settings: Any) -> Option:
    """An Option, written as one writes `add_argument`."""
    return Option(flags, settings, completes)


class Helped(Exception):
    """The user asked for help; the text is in `args[0]`."""


class UsageMistake(InvalidRequest):
    """What was written on the line makes no sense: nothing was asked of anybody."""


class LineParser(argparse.ArgumentParser):
    """An argparse parser that raises, where argparse prints and exits."""

    def __init__(self, prog: str, description: str, options: Sequence[Option]) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for each in options:
            self.add_argument(*each.flags, **each.settings)

    def parse_line(self, words: Sequence[str]) -> argparse.Namespace:
        return self.parse_args(list(words))

    def print_help(self, file: Any = None) -> None:
        raise Helped(self.format_help().rstrip())

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        near = self._near(message.partition("unrecognized arguments: ")[2])
        hint = f"did you mean `{near}`?" if near else f"see `{self.prog} --help`"
        raise UsageMistake(f"{self.prog}: {message} ({hint})")

    def _near(self, unknown: str) -> str:
        """The flag that the first of these words may have been meant for."""
        word = unknown.split(maxsplit=1)[0] if unknown.startswith("--") else ""
        return next(iter(difflib.get_close_matches(word, self._option_string_actions, n=1)), "")


def split(line: str, platform: str = sys.platform) -> list[str]:
    """The words of a line as a POSIX shell would see them. On Windows, too, but for backslashes,
    which stand in paths there."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    if platform == "win32":
        lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise InvalidRequest(f"{error} in: {line.strip()}") from error


def between(low: float, high: float, kind: type[int] | type[float] = float) -> Callable[[str], Any]:
    """An argparse type: a number from `low` to `high`."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    return number


def count(text: str) -> int:
    """An argparse type: a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)
