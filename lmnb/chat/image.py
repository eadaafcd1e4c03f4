"""Pictures in a conversation: a mark in the text says where each stands."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["Image", "joined", "split"]


def _mark() -> str:
    """Nobody can guess it, and no template has a reason to change it."""
    return f"image{secrets.token_hex(12)}image"


@dataclass(frozen=True, slots=True)
class Image:
    """`url`: where it comes from, or all of it as a `data:` URL."""

    url: str
    mark: str = field(default_factory=_mark)


def joined(parts: Iterable[str | Image]) -> tuple[str, tuple[Image, ...]]:
    """Content in parts as one text with marks. Texts are lines; pictures stand where they stand."""
    text, images, last_was_text = "", [], False
    for part in parts:
        is_text = isinstance(part, str)
        if isinstance(part, Image):
            text += part.mark
            images.append(part)
        else:
            text += "\n" + part if last_was_text else part
        last_was_text = is_text
    return text, tuple(images)


def split(text: str, images: Sequence[Image]) -> list[str | Image]:
    """`text` with each mark replaced by its picture."""
    known = {image.mark: image for image in images}
    pieces = re.split("(" + "|".join(known) + ")", text) if known else [text]
    return [known.get(piece, piece) for piece in pieces if piece]
