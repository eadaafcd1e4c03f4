"""What a docstring says of a function and its parameters, in the three styles that people use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Params)\s*:?\s*$", re.IGNORECASE)
_OTHER_SECTION = re.compile(
    r"^(Returns?|Raises|Yields?|Examples?|Notes?|See Also|Attributes|Warnings?|References)\s*:?\s*$",
    re.IGNORECASE,
)
_REST = re.compile(r"^:param\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)$")
_REST_OTHER = re.compile(r"^:(returns?|rtype|raises?|type)\b")
_GOOGLE = re.compile(r"^(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(\w+)(?:\s*:\s*.*)?$")
_RULE = re.compile(r"^-{3,}$")


@dataclass
class Docstring:
    """`summary` is all that stands before the parameters."""

    summary: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def parse_docstring(text: str) -> Docstring:
    """Google's style, NumPy's and reST's; what is none of them is summary."""
    found = Docstring()
    summary, section, name, depth = list[str](), "", "", 0
    lines = text.splitlines()
    for number, line in enumerate(lines):
        bare = line.strip()
        if match := _REST.match(bare):
            section, name = "rest", match[1]
            found.parameters[name] = match[2]
        elif _REST_OTHER.match(bare) or (_OTHER_SECTION.match(bare) and not line[:1].isspace()):
            section, name = "other", ""
        elif _SECTION.match(bare) and not line[:1].isspace():
            ruled = number + 1 < len(lines) and _RULE.match(lines[number + 1].strip())
            section, name, depth = ("numpy" if ruled else "google"), "", -1
        elif section in ("google", "numpy") and bare and not _RULE.match(bare):
            indent = len(line) - len(line.lstrip())
            depth = indent if depth < 0 else depth
            match = (_NUMPY if section == "numpy" else _GOOGLE).match(bare)
            if match and indent <= depth:
                name = match[1]
                found.parameters[name] = match[2] if section == "google" else ""
            elif name:
                found.parameters[name] = f"{found.parameters[name]} {bare}".strip()
        elif section == "rest" and name and bare:
            found.parameters[name] = f"{found.parameters[name]} {bare}".strip()
        elif not section:
            summary.append(line)
    found.summary = "\n".join(summary).strip()
    return found
