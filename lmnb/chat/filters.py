"""The filters and tests a chat template may use, each paid for; see `operations.py` for the rule.

Left out of jinja2's: what makes HTML, what is random, and what only pads.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from jinja2.exceptions import SecurityError
from markupsafe import escape

from lmnb.chat.controls import ControlTokens, stripped
from lmnb.chat.meter import Meter, weigh
from lmnb.chat.operations import (
    MAX_WIDTH,
    check_width,
    compared,
    pay_all,
    percent,
    replaced,
    settled,
    size,
    text_of,
)

__all__ = ["filters", "tests"]

_CONSTANT = "abs count d default first last length".split()
_EACH_ITEM = "items list map reject rejectattr reverse select selectattr".split()
_ALL_OF_IT = (
    "capitalize dictsort float groupby lower max min sort title truncate unique upper wordcount"
).split()
_TESTS = (
    "boolean callable defined escaped false filter float integer iterable mapping none number"
    " sameas sequence string test true undefined"
).split()
_COMPARING_TESTS = {
    **dict.fromkeys(["eq", "equalto", "=="], "eq"),
    **dict.fromkeys(["ne", "!="], "ne"),
    **dict.fromkeys(["lt", "lessthan", "<"], "lt"),
    **dict.fromkeys(["le", "<="], "lteq"),
    **dict.fromkeys(["gt", "greaterthan", ">"], "gt"),
    **dict.fromkeys(["ge", ">="], "gteq"),
    "in": "in",
}


def _as_json(
    meter: Meter,
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """transformers' `tojson`: no HTML escapes, and Python's own options."""
    check_width(indent)
    pay_all(meter, value, separators, (None,) * (indent or 0))
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def filters(
    native: Mapping[str, Any], current: ContextVar[Meter], controls: ControlTokens
) -> dict[str, Callable[..., Any]]:
    """The filters a chat template may use, and those that the sandbox puts in itself."""

    def paying(name: str, pay: Callable[..., None]) -> Callable[..., Any]:
        function = native[name]

        @functools.wraps(function)
        def paid(*args: Any, **kwargs: Any) -> Any:
            meter = current.get()
            args = tuple(settled(value, meter) for value in args)
            pay(meter, *args, *kwargs.values())
            return function(*args, **kwargs)

        return paid

    def own(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: function(current.get(), *args, **kwargs)

    def replace(meter: Meter, s: object, old: object, new: object, count: int = -1) -> str:
        text, before, after = (text_of(value, meter) for value in (s, old, new))
        return replaced(meter, controls, text, before, after, count)

    def trim(meter: Meter, value: object, chars: str | None = None) -> str:
        text = text_of(value, meter)
        pay_all(meter, text, chars)
        return stripped(text, chars, left=True, right=True)

    def format(meter: Meter, value: object, *args: Any, **kwargs: Any) -> str:
        return percent(meter, text_of(value, meter), kwargs or args)

    def to_slice(meter: Meter, value: object) -> object:
        meter.spend(size(value))
        return value

    def all_of_it(meter: Meter, value: object) -> object:
        meter.pay(value)
        return value

    return {
        **{name: native[name] for name in _CONSTANT},
        **{name: paying(name, _pay_each_item) for name in _EACH_ITEM},
        **{name: paying(name, pay_all) for name in _ALL_OF_IT},
        "batch": paying("batch", _pay_parts),
        "slice": paying("slice", _pay_parts),
        "e": own(_escaped),
        "escape": own(_escaped),
        "forceescape": own(_escaped),
        "format": own(format),
        "indent": paying("indent", _pay_indent),
        "int": paying("int", _pay_int),
        "join": paying("join", pay_all),
        "replace": own(replace),
        "round": paying("round", _pay_round),
        "safe": own(lambda meter, value: text_of(value, meter)),
        "string": own(lambda meter, value: text_of(value, meter)),
        "sum": paying("sum", _pay_sum),
        "tojson": own(_as_json),
        "trim": own(trim),
        "each item": own(lambda meter, values: meter.each(values)),
        "as text": own(lambda meter, value: _paid_text(meter, value)),
        "to slice": own(to_slice),
        "all of it": own(all_of_it),
        "compared": own(compared),
    }


def tests(native: Mapping[str, Any], current: ContextVar[Meter]) -> dict[str, Any]:
    """The tests a chat template may use."""

    def comparing(operator: str) -> Callable[[Any, Any], Any]:
        return lambda left, right: compared(current.get(), left, operator, right)

    def numeric(test: Callable[..., bool]) -> Callable[..., bool]:
        # The tests use `%`, which on a string is formatting.
        def of_numbers(*values: Any) -> bool:
            check_numbers(*values)
            return test(*values)

        return of_numbers

    def case(test: Callable[[str], bool]) -> Callable[[object], bool]:
        return lambda value: test(text_of(value, current.get()))

    return {
        **{name: native[name] for name in _TESTS},
        **{name: comparing(operator) for name, operator in _COMPARING_TESTS.items()},
        **{name: numeric(native[name]) for name in ("divisibleby", "even", "odd")},
        **{name: case(native[name]) for name in ("lower", "upper")},
    }


def check_numbers(*values: object) -> None:
    for value in values:
        if not isinstance(value, (int, float)):
            raise TypeError(f"a number is needed here, not {type(value).__name__}")


def _paid_text(meter: Meter, value: object) -> str:
    text = text_of(value, meter)
    meter.text(len(text))
    return text


def _escaped(meter: Meter, value: object) -> str:
    """Plain text, not Markup: nothing is escaped twice or for being next to something."""
    text = text_of(value, meter)
    meter.text(6 * len(text))
    return str(escape(text))


def _pay_each_item(meter: Meter, *args: object) -> None:
    units = 1
    for value in args:
        units *= weigh(value, meter.left) if isinstance(value, str) else size(value)
    # A string is a list of characters here (the first argument may be jinja2's environment).
    meter.spend(units + sum(len(value) for value in args[:2] if isinstance(value, str)))


def _pay_parts(meter: Meter, *args: object) -> None:
    parts = [value for value in args if isinstance(value, int)]
    _pay_each_item(meter, *args, range(max(parts, default=0)))


def _pay_indent(meter: Meter, text: object, *options: object) -> None:
    check_width(*(len(value) if isinstance(value, str) else value for value in options))
    if not isinstance(text, str):
        raise TypeError("indent needs a text")
    meter.text(len(text) + len(text.splitlines()) * MAX_WIDTH)


def _pay_int(meter: Meter, value: object, *rest: object) -> None:
    meter.pay(value)
    if isinstance(value, str) and len(value) > 1_000:
        raise SecurityError("a number is too large")


def _pay_round(meter: Meter, value: object, *options: object) -> None:
    check_numbers(value)
    check_width(*(option for option in options if not isinstance(option, str)))


def _pay_sum(meter: Meter, *args: object) -> None:
    meter.pay(args)
    if any(isinstance(value, (list, tuple)) for value in args[2:]):
        raise TypeError("sum adds numbers")
