"""What a reply must look like: JSON, a schema, a regex, a grammar, a choice -> llguidance's Lark."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from lmnb.chat import lark, schema
from lmnb.chat.gbnf import to_lark
from lmnb.errors import InvalidRequest

__all__ = ["ResponseFormat", "either", "grammar"]

Kind = Literal["json_object", "json_schema", "regex", "lark", "gbnf", "choice"]

MAX_CHARACTERS = 1 << 18
_LEAD = "LEAD: /\\n\\n?/\n"
"""After its thinking a model begins a new line, or two."""


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """`value`: the schema (an object), the text of the regex or grammar, or the choices (strings).

    `param` is the client's word for it, to be named in errors.
    """

    kind: Kind
    value: Any = None
    strict: bool = False
    param: str = "response_format"

    def refused(self, why: str) -> InvalidRequest:
        return InvalidRequest(
            f"Invalid '{self.param}': {why[:1].lower()}{why[1:]}", param=self.param
        )


def grammar(wanted: ResponseFormat, *, after_thinking: bool = False) -> str:
    """Lark with llguidance's extensions. Raises InvalidRequest, naming what cannot be done."""
    try:
        answer = _lark(wanted)
    except InvalidRequest as error:
        raise wanted.refused(error.message) from None
    return _nested("LEAD? @answer", answer=answer) if after_thinking else answer


def either(call: str, wanted: ResponseFormat, *, after_thinking: bool = False) -> str:
    """The grammar `call`, or what is wanted."""
    lead = "LEAD? " if after_thinking else ""
    return _nested(f"@call | {lead}@answer", call=call, answer=grammar(wanted))


def _nested(start: str, **grammars: str) -> str:
    """A grammar of grammars, each with its own names."""
    outer = {"lark_grammar": f"start: {start}\n{_LEAD}"}
    inner = [{"name": name, "lark_grammar": text} for name, text in grammars.items()]
    return json.dumps({"grammars": [outer, *inner]})


def _lark(wanted: ResponseFormat) -> str:
    value = wanted.value
    match wanted.kind:
        case "json_object":
            return "start: %json " + json.dumps({"type": "object", "x-guidance": schema.STYLE})
        case "json_schema":
            return "start: %json " + json.dumps(schema.ready(value), allow_nan=False)
        case "regex":
            return "start: " + lark.regex(_text(value))
        case "choice":
            literals = " | ".join(lark.literal(_text(choice)) for choice in _choices(value))
            return f"start: CHOICE\nCHOICE: {literals}"
        case "gbnf":
            return to_lark(_text(value))
        case "lark":
            return _text(value)


def _choices(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise InvalidRequest("There is nothing to choose from: an array of strings is expected.")
    return list(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequest("A string is expected that is not empty.")
    if len(value) > MAX_CHARACTERS:
        raise InvalidRequest(f"It has {len(value)} characters; {MAX_CHARACTERS} are the most.")
    return value
