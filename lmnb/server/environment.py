"""Settings from `LMNB_*` variables. An empty one is none; what makes no sense is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping

from lmnb.errors import InvalidRequest

__all__ = ["as_port", "as_seconds", "port", "seconds", "switch"]

ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Raises InvalidRequest."""
    text = environ.get(name, "").strip().lower()
    if text in (*ON, *OFF):
        return text in ON
    if text:
        raise InvalidRequest(f"{name} is one of {', '.join((*ON, *OFF))}, not {text!r}.")
    return default


def seconds(environ: Mapping[str, str], name: str, *, default: float) -> float:
    """Raises InvalidRequest."""
    text = environ.get(name, "").strip()
    return as_seconds(text, name) if text else default


def port(environ: Mapping[str, str], name: str) -> int | None:
    """Raises InvalidRequest."""
    text = environ.get(name, "").strip()
    return as_port(text, name) if text else None


def as_seconds(text: str, name: str) -> float:
    """`name`: where it was said. Raises InvalidRequest."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InvalidRequest(f"{name} is a number of seconds, not {text!r}.")
    return value


def as_port(text: str, name: str) -> int:
    """`name`: where it was said. Raises InvalidRequest."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise InvalidRequest(f"{name} is a number from 0 to 65535, not {text!r}.")
    return int(text)
