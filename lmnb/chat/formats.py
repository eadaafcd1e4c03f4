"""The formats and patterns of a JSON schema, as far as llguidance does not know them by itself.

Dates and times are those that validators and Python take: no year 0, no 30th of February. Host names
have no punycode, which would have to be decoded to be judged. All are a part of what the standards
allow, on which validators agree.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["KNOWN", "enforce", "refused"]

_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_DATE = (
    "(?:(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-(?:"
    f"(?:0[13578]|1[02])-{_DAY}|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    "|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})"
_L, _LH = "[A-Za-z0-9]", "[A-Za-z0-9-]"
_LABEL = f"{_L}(?:{_L}|{_LH}{_L}|{_LH}{{2}}{_L}|{_LH}(?:{_L}{_LH}|-{_L}){_LH}{{0,58}}{_L})?"
_HEX = "[0-9a-fA-F]"

_POINTER = "(?:/(?:[^~/]|~[01])*)*"
_U = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})"
"""A character of a URI's path, but for the colon."""
_PATH = f"(?:/(?:{_U}|:)*)*"
_REFERENCE = (
    f"(?:(?:https?:)?//{_LABEL}(?:\\.{_LABEL})*(?::[0-9]{{1,5}})?{_PATH}|/(?:{_U}+{_PATH})?|{_U}+{_PATH})?"
    f"(?:\\?(?:{_U}|[:/?])*)?(?:#(?:{_U}|[:/?])*)?"
)

PATTERNS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}T{_TIME}$",
    "hostname": rf"^{_LABEL}(?:\.{_LABEL})*$",
    "json-pointer": f"^{_POINTER}$",
    "relative-json-pointer": f"^(?:0|[1-9]{{1,3}})(?:#|{_POINTER})$",
    "uri-reference": f"^{_REFERENCE}$",
}
KNOWN = {**PATTERNS, "uuid": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$"}
"""Formats that a pattern says."""
_LONGEST_HOSTNAME = 253

_ENFORCED = frozenset("duration email ipv4 ipv6 uuid uri".split())
"""By llguidance."""
_PLAINER = {
    "idn-email": "email",
    "idn-hostname": "hostname",
    "iri": "uri",
    "iri-reference": "uri-reference",
}
"""Formats of which every text of another is one."""
_STANDARD = frozenset(("uri-template", "regex"))
"""Formats of JSON Schema that nobody here knows. Any other name is an annotation."""

_CLASS = re.compile(r"(\\.)|\[\^(?=([\]-]?))", re.DOTALL)
"""The beginning of a class that says what is not in it, and what would mean something else later on."""
_FROM_NUL = re.compile(r"(?:\\x00|\\u0000|\x00)-")

_NOT_ONLY_SIGNS = "^(?!^[-+.]*$)"
"""What pydantic's pattern for decimals begins with: a look ahead, which llguidance does not have."""


def refused(schema: dict[str, Any]) -> str | None:
    """The format that cannot be enforced, if there is one."""
    name = schema.get("format")
    return name if isinstance(name, str) and name in _STANDARD else None


def enforce(schema: dict[str, Any]) -> None:
    """Say formats and patterns as patterns that llguidance takes."""
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        if pattern.startswith(_NOT_ONLY_SIGNS):
            pattern = "^" + pattern.removeprefix(_NOT_ONLY_SIGNS)
            _also(schema, {"pattern": "[^-+.]"})
        schema["pattern"] = _without_nul(pattern)
    names = schema.get("patternProperties")
    if isinstance(names, dict):
        schema["patternProperties"] = {_without_nul(name): one for name, one in names.items()}
    name = schema.get("format")
    if not isinstance(name, str):
        return
    name = schema["format"] = _PLAINER.get(name, name)
    if name in _ENFORCED:
        return
    del schema["format"]
    if name in PATTERNS:
        if "pattern" in schema:
            _also(schema, {"pattern": schema["pattern"]})
        schema["pattern"] = PATTERNS[name]
    if name == "hostname":
        _also(schema, {"maxLength": _LONGEST_HOSTNAME})


def _without_nul(pattern: str) -> str:
    """Where a class of characters holds all control characters, llguidance 1.9 lets an escaped quote
    or backslash into it, too. So no class holds NUL, which nobody misses."""
    pattern = _CLASS.sub(lambda found: found[1] or f"[^\\x00{found[2] and chr(92)}", pattern)
    return _FROM_NUL.sub(r"\\x01-", pattern)


def _also(schema: dict[str, Any], other: dict[str, Any]) -> None:
    schema["allOf"] = [*schema.get("allOf", ()), other]
