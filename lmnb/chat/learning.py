"""A model's format for tool calls, learnt from its chat template.

The template renders an answer with marked calls; what stands around the marks is the format. An
answer with two calls shows what separates calls, and what stands before the first and after the
last only. Texts are never cut inside a tag.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lmnb.chat.callformat import ID, NUMBER, CallFormat, ParameterFormat
from lmnb.chat.message import Message, ToolCall
from lmnb.chat.reasoning import FORMATS
from lmnb.errors import InvalidRequest

__all__ = ["RESULT", "TOOLS", "USER", "calls", "learn"]

Render = Callable[[Sequence[Message]], str]
"""The rendered conversation, or InvalidRequest."""

MARK = "lmnb"
USER, REPLY, RESULT = "lmnbquestion", "lmnbreply", "lmnbresult"
NAMES = ("lmnbfirst", "lmnbsecond")
IDS = ("lmnbid001", "lmnbid002")  # nine letters and digits, as Mistral's must be
KEY, OTHER_KEY, VALUE, OTHER_VALUE = "lmnbkey", "lmnbother", "lmnbvalue", 417
ARGUMENTS = {KEY: VALUE, OTHER_KEY: OTHER_VALUE}
SCHEMA = {
    "type": "object",
    "properties": {
        KEY: {"type": "string", "description": ""},
        OTHER_KEY: {"type": "integer", "description": ""},
    },
    "required": [KEY, OTHER_KEY],
}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "", "parameters": SCHEMA}}
    for name in NAMES
]


def calls(count: int) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(id, name, json.dumps(ARGUMENTS))
        for id, name in zip(IDS[:count], NAMES, strict=False)
    )


def learn(render: Render) -> CallFormat | None:
    """The format, or None where the template shows no calls, or shows them in an unknown way."""
    try:
        plain = _after_question(render([Message("user", USER), Message("assistant", REPLY)]))
        one = _after_question(
            render([Message("user", USER), Message("assistant", "", tool_calls=calls(1))])
        )
    except InvalidRequest:
        return None
    head, found, tail = plain.partition(REPLY)
    if not found:
        return None
    single = _read(one, 1)
    if single is None:
        return None
    try:
        two = render([Message("user", USER), Message("assistant", "", tool_calls=calls(2))])
        double = _read(_after_question(two), 2)
    except InvalidRequest:
        double = None
    before = _beginning(single[0].before, head)
    if double is None:
        format = _one_call(single[0], before, _without_tail(single[0].after, tail))
    else:
        format = _several(double, before, _without_tail(double[1].after, tail))
    return format if format and _is_plain(format, tail) else None


def _is_plain(format: CallFormat, tail: str) -> bool:
    """Whether no mark was left in it, and what begins a call does not also end every turn."""
    return MARK not in repr(format) and all(lead and lead not in tail for lead in format.leads)


@dataclass(frozen=True, slots=True)
class _Call:
    """A rendered call: the texts around its parts."""

    before: str
    middle: str
    after: str
    parameters: tuple[str, str, str] | None = None
    """After the first key, after its value, after the second key."""


def _read(text: str, count: int) -> list[_Call] | None:
    """The calls in `text`; `after` and `before` of neighbours are the same text."""
    found: list[_Call] = []
    for name in NAMES[:count]:
        before, shown, rest = text.partition(name)
        if not shown:
            return None
        call = _in_json(before, rest) or _in_parameters(before, rest)
        if call is None:
            return None
        found.append(call)
        text = call.after
    if count == 2:
        found[0] = replace(found[0], after=found[1].before)
    return found


def _in_json(before: str, rest: str) -> _Call | None:
    at = rest.find(KEY)
    for brace in re.finditer(r"\{", rest[: max(at, 0)]):
        try:
            value, end = json.JSONDecoder().raw_decode(rest, brace.start())
        except ValueError:
            continue
        if value == ARGUMENTS:
            return _Call(before, rest[: brace.start()], rest[end:])
    return None


def _in_parameters(before: str, rest: str) -> _Call | None:
    parts = []
    for mark in (KEY, VALUE, OTHER_KEY, str(OTHER_VALUE)):
        part, shown, rest = rest.partition(mark)
        if not shown:
            return None
        parts.append(part)
    middle, after_key, after_value, after_other = parts
    return _Call(before, middle, rest, (after_key, after_value, after_other))


def _one_call(call: _Call, before: str, after: str) -> CallFormat | None:
    if call.parameters is not None:
        return None
    return CallFormat(open=before, middle=call.middle, close=after, parallel=False)


def _several(double: list[_Call], before: str, after: str) -> CallFormat | None:
    first, second = double
    between = first.after
    parameters, middle = None, _numbered(first.middle, second.middle)
    quote = _quote(first)
    if first.parameters is not None and not quote:
        after_key, after_value, after_other = first.parameters
        p_close = _common_start(after_value, after)
        p_open = _common_end(middle, after_value[len(p_close) :])
        parameters = ParameterFormat(
            open=p_open,
            middle=after_key,
            close=p_close,
            other_middle=after_other,
            separator=after_value[len(p_close) : len(after_value) - len(p_open)],
        )
        if not (p_open or p_close) or not after_key:
            return None
        middle = middle[: len(middle) - len(p_open)]
        between, after = between[len(p_close) :], after[len(p_close) :]
    close = _common_start(between, after)
    if not after.startswith(close):
        return None
    rest = between[len(close) :]
    opening = _common_end(before, rest)
    return CallFormat(
        start=before[: len(before) - len(opening)],
        open=opening,
        middle=middle,
        close=close,
        separator=rest[: len(rest) - len(opening)],
        end=after[len(close) :],
        parameters=parameters,
        quote=quote,
    )


def _quote(call: _Call) -> str:
    """The marks around strings, where the arguments are an object with bare keys."""
    if call.parameters is None or not call.middle.endswith("{"):
        return ""
    after_key, after_value, after_other = call.parameters
    quote = after_key.removeprefix(after_other)
    bare = after_other == ":" and after_value.strip() == f"{quote},"
    return quote if bare else ""


def _after_question(text: str) -> str:
    text = text[text.rfind(USER) + len(USER) :]
    for id in IDS:
        text = text.replace(id, ID)
    return text


def _beginning(before: str, head: str) -> str:
    """What is the call's own, of what stands before its name: not the turn's, not thinking."""
    before = before[len(_common_start(before, head, strip=False)) :]
    for format in FORMATS:
        before = before.rpartition(format.end)[2]
    return before.lstrip()


def _without_tail(after: str, tail: str) -> str:
    """`after` without the end of the turn."""
    end = tail.strip()
    if end and end in after:
        return after[: after.index(end)].rstrip()
    return after[: len(after) - len(_common_end(after, tail))].rstrip()


def _common_start(a: str, b: str, *, strip: bool = True) -> str:
    """The beginning of both, not cut inside a tag; without the space at its end."""
    size = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if size is None:
        return (a if len(a) < len(b) else b).rstrip() if strip else min(a, b, key=len)
    text = a[:size]
    if text.rfind("<") > text.rfind(">"):
        text = text[: text.rfind("<")]
    text = re.sub(r"\[/?[A-Z_]*$", "", text)
    return text.rstrip() if strip else text


def _common_end(a: str, b: str) -> str:
    """The end of both, not cut inside a tag; without the space at its beginning. Where two digits
    differ, the number of the call stands."""
    text = ""
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y and not (x.isdigit() and y.isdigit()):
            break
        text = (x if x == y else NUMBER) + text
    if len(text) < min(len(a), len(b)):
        text = re.sub(r"^[^<>]*>", "", text)
        text = re.sub(r"^[A-Z_]*\](?!\s*$)", "", text)
    return text.lstrip()


def _numbered(a: str, b: str) -> str:
    """`a`, with the number of the call where `b` has another digit."""
    if len(a) != len(b):
        return a
    return "".join(
        NUMBER if x != y and x.isdigit() and y.isdigit() else x for x, y in zip(a, b, strict=True)
    )
