"""What an answer is made of, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Call", "Content", "Delta", "Reasoning"]


@dataclass(frozen=True, slots=True)
class Content:
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A piece of call number `index`: its name, once, with the first piece; of its arguments, the
    JSON text as far as it came."""

    index: int
    text: str = ""
    name: str | None = None


Delta = Content | Reasoning | Call
