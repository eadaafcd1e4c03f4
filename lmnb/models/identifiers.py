"""What a loaded instance may be called."""

from __future__ import annotations

import re
from collections.abc import Container

from lmnb.errors import InvalidRequest

__all__ = ["check_identifier", "free_identifier"]

_IDENTIFIER = re.compile(r"[^\W_][\w.@/:+ -]{0,255}")


def check_identifier(text: str) -> str:
    """A name that a user chose, if it can stand in a URL, a table and a command line.

    Raises InvalidRequest.
    """
    parts = text.split("/")
    if _IDENTIFIER.fullmatch(text) and not text.endswith(" ") and not {"", ".", ".."} & {*parts}:
        return text
    raise InvalidRequest(
        f"{text[:120]!r} cannot be an identifier: letters, digits and '-_.@/:+ ' (at most 256), the "
        "first a letter or a digit.",
        param="identifier",
    )


def free_identifier(key: str, taken: Container[str]) -> str:
    """`key`, or for a second instance of the model `key:2`, and so on."""
    number, identifier = 1, key
    while identifier in taken:
        number += 1
        identifier = f"{key}:{number}"
    return identifier
