"""What a chat template may do with values: operators, methods, filters and tests, each paid for.

The rule is that an operation pays for all it touches, and for the product where it may combine its
arguments freely (searching, joining, stripping); what could grow beyond its arguments is bounded or
counted exactly before it is made.
"""

from __future__ import annotations

import functools
import json
import operator as op
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import BuiltinMethodType
from typing import Any

from jinja2.environment import Environment
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedFormatter
from markupsafe import escape

from lmnb.chat.controls import ControlTokens
from lmnb.chat.meter import Meter, weigh

__all__ = ["binary", "call_method", "check_integer", "filters", "settled", "tests", "text_of"]

MAX_INTEGER_BITS = 8_192
MAX_WIDTH = 64
"""For indents, precisions and the like."""

_SIZED = (list, dict, tuple, range)
_PERCENT = re.compile(r"%(?:\(\w*\))?[#0 +-]{0,5}\d{0,2}(?:\.\d{0,2})?[a-zA-Z%]")

_CONSTANT = "abs count d default first last length".split()
_EACH_ITEM = "items list map reject rejectattr reverse select selectattr".split()
_ALL_OF_IT = (
    "capitalize dictsort float groupby lower max min sort title trim truncate unique upper"
    " wordcount"
).split()
_TESTS = (
    "boolean callable defined escaped false filter float integer iterable mapping none number"
    " sameas sequence string test true undefined"
).split()
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": op.add,
    "-": op.sub,
    "*": op.mul,
    "/": op.truediv,
    "//": op.floordiv,
    "%": op.mod,
    "**": op.pow,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": op.eq,
    "ne": op.ne,
    "lt": op.lt,
    "lteq": op.le,
    "gt": op.gt,
    "gteq": op.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}
_COMPARING_TESTS = {
    **dict.fromkeys(["eq", "equalto", "=="], "eq"),
    **dict.fromkeys(["ne", "!="], "ne"),
    **dict.fromkeys(["lt", "lessthan", "<"], "lt"),
    **dict.fromkeys(["le", "<="], "lteq"),
    **dict.fromkeys(["gt", "greaterthan", ">"], "gt"),
    **dict.fromkeys(["ge", ">="], "gteq"),
    "in": "in",
}


def text_of(value: object, meter: Meter) -> str:
    """`str(value)`."""
    if type(value) is str:
        return value
    meter.pay(value)
    return str(value)


def settled(value: object, meter: Meter) -> object:
    """An iterator becomes the list of what it gives: `l.extend(l|map(...))` would never end."""
    return list(meter.each(value)) if isinstance(value, Iterator) else value


def check_integer(value: object) -> None:
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise SecurityError("a number is too large")


def check_width(*values: object) -> None:
    for value in values:
        if not isinstance(value, (int, float, type(None))) or abs(value or 0) > MAX_WIDTH:
            raise SecurityError(f"a width or precision may not be more than {MAX_WIDTH}")


def binary(meter: Meter, operator: str, left: Any, right: Any) -> Any:
    """`left operator right`."""
    if isinstance(left, str) and operator == "%":
        return percent(meter, left, right)
    if operator in ("*", "**"):
        _pay_product(meter, operator, left, right)
    else:
        meter.spend(_size(left) + _size(right))
    return _BINARY[operator](left, right)


def _pay_product(meter: Meter, operator: str, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        meter.spend(1)
        bits = (
            left.bit_length() * right
            if operator == "**"
            else left.bit_length() + right.bit_length()
        )
        if bits > MAX_INTEGER_BITS:
            raise SecurityError("a number is too large")
        return
    times, value = (left, right) if isinstance(left, int) else (right, left)
    meter.spend(_size(value) * max(times if isinstance(times, int) else 1, 1))


def _size(value: object) -> int:
    """Units for copying the first level of `value`. A string is never free, however short."""
    if isinstance(value, str):
        return 1 + len(value) // 64
    return 1 + len(value) if isinstance(value, _SIZED) else 1


def compared(meter: Meter, left: Any, operator: str, right: Any) -> Any:
    """`left operator right` for comparisons and `in`."""
    if operator in ("in", "notin"):
        right = settled(right, meter)
        pays = weigh(left, meter.left)
        if isinstance(left, (str, int, float)):
            meter.spend(pays if isinstance(right, dict) else pays * _size(right))
        else:
            meter.spend(pays if isinstance(right, dict) else pays + weigh(right, meter.left))
    elif not isinstance(left, (int, float)):
        meter.pay(left)
    return _COMPARISONS[operator](left, right)


def percent(meter: Meter, format: str, values: Any) -> str:
    """`format % values`. Widths have at most two digits and none comes from the values."""
    count = format.count("%")
    meter.spend(weigh(format, meter.left) * 2 + count * (1 + weigh(values, meter.left)))
    if "%" in _PERCENT.sub("", format):
        raise SecurityError("this % format is not allowed in a chat template")
    return str(format % values)


class _Formatter(SandboxedFormatter):
    """`str.format` with widths of at most two digits."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if len(format_spec) > 16 or re.search(r"\d{3}", format_spec):
            raise SecurityError("this format is not allowed in a chat template")
        return str(super().format_field(value, format_spec))


def call_method(
    environment: Environment,
    controls: ControlTokens,
    meter: Meter,
    method: BuiltinMethodType,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """A method of a string, list, tuple or dict; the sandbox has seen that it is a listed one."""
    owner, name = method.__self__, method.__name__
    args = tuple(settled(value, meter) for value in args)
    if isinstance(owner, str):
        if name == "format":
            fields = owner.count("{") * (1 + weigh((args, kwargs), meter.left))
            meter.spend(weigh(owner, meter.left) + fields)
            return _Formatter(environment).vformat(owner, args, kwargs)
        if name == "replace":
            return replaced(meter, controls, owner, *args)
        _pay_all(meter, owner, *args, *kwargs.values())
    elif name in ("index", "count", "remove"):
        meter.pay(owner)
    elif name in ("copy", "update", "extend", "clear") or isinstance(owner, tuple):
        meter.spend(_size(owner) + sum(map(_size, args)) + len(kwargs))
    elif isinstance(owner, dict):
        meter.spend(1)
        if args:
            meter.pay(args[0] if isinstance(args[0], tuple) else None)
    else:
        meter.spend(1 + len(owner) // 64)  # type: ignore[arg-type]
    return method(*args, **kwargs)


def replaced(
    meter: Meter, controls: ControlTokens, text: str, old: str, new: str, count: int = -1
) -> str:
    """`text.replace(old, new, count)`, with the size of the result paid first."""
    meter.spend(weigh(text, meter.left) * weigh(old, meter.left))
    meter.text(4 * (len(text) + text.count(old) * len(new)))
    return controls.replace(text, old, new, count)


def _pay_all(meter: Meter, *values: object) -> None:
    """The product of the weights: each part of one may meet each part of another."""
    units = 1
    for value in values:
        units *= weigh(value, meter.left)
    meter.spend(units)


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
    _pay_all(meter, value, separators, (None,) * (indent or 0))
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

    def replace(meter: Meter, text: object, old: str, new: str, count: int = -1) -> str:
        return replaced(meter, controls, text_of(text, meter), str(old), str(new), count)

    def to_slice(meter: Meter, value: object) -> object:
        meter.spend(_size(value))
        return value

    def all_of_it(meter: Meter, value: object) -> object:
        meter.pay(value)
        return value

    return {
        **{name: native[name] for name in _CONSTANT},
        **{name: paying(name, _pay_each_item) for name in _EACH_ITEM},
        **{name: paying(name, _pay_all) for name in _ALL_OF_IT},
        "batch": paying("batch", _pay_parts),
        "slice": paying("slice", _pay_parts),
        "e": own(_escaped),
        "escape": own(_escaped),
        "forceescape": own(_escaped),
        "format": own(lambda meter, text, *args, **kw: percent(meter, str(text), kw or args)),
        "indent": paying("indent", _pay_indent),
        "int": paying("int", _pay_int),
        "join": paying("join", _pay_all),
        "replace": own(replace),
        "round": paying("round", _pay_round),
        "safe": own(lambda meter, value: text_of(value, meter)),
        "string": own(lambda meter, value: text_of(value, meter)),
        "sum": paying("sum", _pay_sum),
        "tojson": own(_as_json),
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
        units *= weigh(value, meter.left) if isinstance(value, str) else _size(value)
    # A string is a list of characters here (the first argument may be jinja2's environment).
    meter.spend(units + sum(len(value) for value in args[:2] if isinstance(value, str)))


def _pay_parts(meter: Meter, *args: object) -> None:
    _pay_each_item(meter, *args)
    check_width(*(value // 16 for value in args if isinstance(value, int)))


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
