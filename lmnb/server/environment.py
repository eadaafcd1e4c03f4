"""Settings from `LMNB_*` variables. An empty one is none; what makes no sense is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from lmnb.errors import InvalidRequest

__all__ = ["MOST_PORT", "as_number", "as_seconds", "choice", "number", "seconds", "switch"]

ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
MOST_PORT = 65535
Word = TypeVar("Word", bound=str)


def switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Raises InvalidRequest."""
    return choice(environ, name, (*ON, *OFF), default="on" if default else "off") in ON


def choice(environ: Mapping[str, str], name: str, words: Sequence[Word], *, default: Word) -> Word:
    """One of these words, in whatever case. Raises InvalidRequest."""
    text = environ.get(name, "").strip()
    for word in words:
        if text.lower() == word:
            return word
    if text:
        raise InvalidRequest(f"{name} is one of {', '.join(words)}, not {text!r}.")
    return default


def seconds(environ: Mapping[str, str], name: str, *, default: float) -> float:
    """Raises InvalidRequest."""
    text = environ.get(name, "").strip()
    return as_seconds(text, name) if text else default


def number(
    environ: Mapping[str, str], name: str, *, least: int = 0, most: int = MOST_PORT
) -> int | None:
    """Raises InvalidRequest."""
    text = environ.get(name, "").strip()
    return as_number(text, name, least=least, most=most) if text else None


def as_seconds(text: str, name: str) -> float:
    """`name`: where it was said. Raises InvalidRequest."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InvalidRequest(f"{name} is a number of seconds, not {text!r}.")
    return value


def as_number(text: str, name: str, *, least: int = 0, most: int = MOST_PORT) -> int:
    """A whole one; by itself a port. `name`: where it was said. Raises InvalidRequest."""
    digits = text if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else "-1"
    if not least <= int(digits) <= most:
        raise InvalidRequest(f"{name} is a number from {least} to {most}, not {text!r}.")
    return int(digits)
