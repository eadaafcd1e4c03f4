"""The grammar that makes a call valid: an existing tool's name, arguments by its schema.

llguidance's Lark. Control tokens are tokens there, not text: `tokens` has their ids. White space
between the parts of a call is left to the model, within limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lmnb.chat.bare import bare_rules
from lmnb.chat.callformat import ID, NUMBER, TAG, CallFormat, ParameterFormat
from lmnb.chat.kinds import kind, texts
from lmnb.chat.references import apart, resolved
from lmnb.chat.schema import STYLE, ready
from lmnb.chat.tools import Tool
from lmnb.errors import InvalidRequest

__all__ = ["arguments_schema", "call_grammar", "tags"]

MOST_CALLS = 16
MOST_SHARED = 4 << 20
"""Characters of definitions, which stand in a grammar for each parameter between marks."""
SPACE = r"SPACE: /[ \n]{1,16}/"
_SLOTS = {ID: "/[a-zA-Z0-9]{9}/", NUMBER: "/[0-9]{1,3}/"}


def tags(format: CallFormat) -> set[str]:
    """Texts in the format which may be tokens of their own."""
    form = format.parameters
    texts = [format.start, format.open, format.middle, format.close, format.separator, format.end]
    texts.append(format.quote)
    if form is not None:
        texts += [form.open, form.middle, form.close, form.other_middle, form.separator]
    return {tag for text in texts for tag in TAG.findall(text)}


def call_grammar(
    format: CallFormat,
    tools: Sequence[Tool],
    *,
    after_lead: bool,
    parallel: bool,
    tokens: Mapping[str, int],
    after_thinking: bool = False,
    end: str = "",
) -> str:
    """The grammar of one call, or of several; of what follows the lead, or of all.

    After a lead, calls that do not stand in a list are one at a time: each has its own lead.
    `end` is a token that has to follow, so that nothing else does.
    """
    writer = _Writer(tokens)
    head = format.start + format.open
    if after_lead:
        head = head.lstrip()[len(format.leads[0]) :]
    listed = bool(format.start or format.end)
    several = parallel and format.parallel and (listed or not after_lead)
    more = f"more{{0,{MOST_CALLS - 1}}}" if several else ""
    lead = "SPACE? " if after_thinking else ""
    rules = [
        f"start: {lead}{writer.text(head)} call {more} {writer.text(format.end + end)}",
        f"more: {writer.text(format.separator + format.open)} call",
        "call: " + " | ".join(f"call_{number}" for number in range(len(tools))),
    ]
    for number, tool in enumerate(tools):
        begin = writer.text(tool.name + format.middle)
        if format.quote:
            arguments = f"call_{number}_a"
            quote = f"<[{tokens[format.quote]}]>" if format.quote in tokens else None
            rules += bare_rules(tool.schema, format.quote, quote, arguments)
        elif format.parameters is None:
            arguments = "%json " + json.dumps(arguments_schema(tool))
        else:
            arguments = _marked(writer, format.parameters, tool, rules, f"call_{number}")
        rules.append(f"call_{number}: {begin} {arguments} {writer.text(format.close)}")
    return "\n".join([*rules, SPACE])


class _Writer:
    """Literal texts as Lark."""

    def __init__(self, tokens: Mapping[str, int]) -> None:
        self._tokens = tokens
        marks = [*map(re.escape, sorted(tokens, key=len, reverse=True)), r"\s*\n\s*", ID, NUMBER]
        self._marks = re.compile("(" + "|".join(marks) + ")")

    def text(self, text: str) -> str:
        return " ".join(self._part(part) for part in self._marks.split(text) if part)

    def _part(self, part: str) -> str:
        if part in self._tokens:
            return f"<[{self._tokens[part]}]>"
        if part.isspace() and "\n" in part:
            return "SPACE?"
        return _SLOTS.get(part) or json.dumps(part, ensure_ascii=False)


def _marked(writer: _Writer, form: ParameterFormat, tool: Tool, rules: list[str], name: str) -> str:
    """Rules for parameters between marks: required ones first to last, others where they belong."""
    properties = tool.schema.get("properties")
    if not isinstance(properties, Mapping):
        properties = {}
    left = MOST_SHARED
    required = tool.schema.get("required") or ()
    parts = []
    for number, (key, schema) in enumerate(properties.items()):
        rule = f"{name}_{number}"
        written = kind(tool.schema, key)
        part = _part(schema, tool, left)
        left -= len(json.dumps(part.get("$defs", "")))
        value = writer.text(form.other_middle) + " %json " + json.dumps(part)
        end = writer.text(form.close)
        if written != "json":
            if listed := texts(tool.schema, key):
                value = _one_of(listed, writer, form)
                end = _closely(form.close, writer)
            else:
                value = writer.text(form.middle) + f" {rule}_text"
                rules.append(_until(form.close, writer, f"{rule}_text"))
                end = "" if form.close.strip() not in writer._tokens else end
        rules.append(f"{rule}: {writer.text(form.open + key)} {value} {end} SPACE?")
        parts.append(rule if key in required else f"{rule}?")
    return " ".join(parts)


def _one_of(listed: Sequence[str | None], writer: _Writer, form: ParameterFormat) -> str:
    """Rules for texts, with no more space around them than is read as none of theirs."""
    before = form.middle.rstrip()
    space = form.middle[len(before) :][:1]
    middle = f"{writer.text(before)} {json.dumps(space)}?"
    options = [
        f'{writer.text(form.other_middle)} "null"'
        if text is None
        else f"{middle} {json.dumps(text)}"
        for text in listed
    ]
    return f"({' | '.join(options)})"


def _closely(close: str, writer: _Writer) -> str:
    mark = close.lstrip()
    return f"{json.dumps(close[: len(close) - len(mark)])}? {writer.text(mark)}"


def _until(close: str, writer: _Writer, rule: str) -> str:
    """A rule for any text, and `close` after it where that is text, too."""
    if close.strip() in writer._tokens:
        return f"{rule}: /(?s:.*)/"
    end = re.escape(close).replace("\\\n", r"\n").replace("/", r"\/")
    return f"{rule}[lazy]: /(?s:.*){end}/"


def arguments_schema(tool: Tool, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A schema of the tool's for llguidance. What cannot be enforced is refused if the tool is
    strict, else left out: the rest still holds.

    Raises InvalidRequest.
    """
    whole = dict(tool.schema) if schema is None else schema
    if whole.get("properties") == {} and not whole.get("required"):
        whole = {"additionalProperties": False, **whole}
    try:
        return ready(whole)
    except InvalidRequest as error:
        if tool.strict:
            raise InvalidRequest(
                f"The tool '{tool.name}': {error.message}", param="tools"
            ) from None
    return {**_reachable(whole, whole), "x-guidance": {**STYLE, "lenient": True}}


def _reachable(schema: Any, root: Mapping[str, Any]) -> Any:
    """Without each `$ref` that leads nowhere. To Anthropic's API, LiteLLM sends them without `#`."""
    if isinstance(schema, list):
        return [_reachable(one, root) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    done = {key: _reachable(value, root) for key, value in schema.items()}
    if isinstance(target := schema.get("$ref"), str):
        del done["$ref"]
        if resolved(target, root) is not None:
            done["$ref"] = f"#{target.removeprefix('#')}"
    return done


def _part(schema: Any, tool: Tool, most: int) -> dict[str, Any]:
    """One property's schema, which may refer to any other part of the tool's."""
    own = schema if isinstance(schema, Mapping) else {}
    try:
        return arguments_schema(tool, apart(own, tool.schema, most))
    except OverflowError:
        raise InvalidRequest(
            f"The tool '{tool.name}': its definitions are too long to be written out for each "
            "parameter that refers to them.",
            param="tools",
        ) from None
