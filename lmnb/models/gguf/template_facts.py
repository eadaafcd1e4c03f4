"""What a chat template has a place for, by the words in it. No template: for nothing."""

from __future__ import annotations

import re

__all__ = ["shows_pictures", "shows_thoughts", "shows_tools"]

_TOOLS = re.compile(r"\btools\b")
_PICTURES = re.compile(r"image_url|['\"]image['\"]|<\|?(?:image|vision_start)")
_THINKING = re.compile(
    r"think(?:ing)?\|?[>\]▷]|enable_thinking|reasoning_content|reasoning_effort", re.IGNORECASE
)


def shows_tools(template: str | None) -> bool:
    return bool(_TOOLS.search(template or ""))


def shows_pictures(template: str | None) -> bool:
    return bool(_PICTURES.search(template or ""))


def shows_thoughts(template: str | None) -> bool:
    return bool(_THINKING.search(template or ""))
