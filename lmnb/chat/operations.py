"""What a chat template may do with values: operators and methods, each paid for.

The rule is that an operation pays for all it touches, and for the product where it may combine its
arguments freely (searching, joining, stripping); what could grow beyond its arguments is bounded or
counted exactly before it is made.
"""

from __future__ import annotations

import operator as op
import re
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinMethodType
from typing import Any

from jinja2.environment import Environment
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedFormatter

from lmnb.chat.controls import ControlTokens, stripped
from lmnb.chat.meter import Meter, weigh

__all__ = [
    "MAX_WIDTH",
    "binary",
    "call_method",
    "check_integer",
    "check_width",
    "compared",
    "pay_all",
    "percent",
    "replaced",
    "settled",
    "size",
    "text_of",
]

MAX_INTEGER_BITS = 8_192
MAX_WIDTH = 64
"""For indents, precisions and the like."""

_SIZED = (list, dict, tuple, range)
_PERCENT = re.compile(r"%(?:\(\w*\))?[#0 +-]{0,5}\d{0,2}(?:\.\d{0,2})?[a-zA-Z%]")

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
        meter.spend(size(left) + size(right))
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
    meter.spend(size(value) * max(times if isinstance(times, int) else 1, 1))


def size(value: object) -> int:
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
            meter.spend(pays if isinstance(right, dict) else pays * size(right))
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
        pay_all(meter, owner, *args, *kwargs.values())
        if name in ("strip", "lstrip", "rstrip"):
            characters = args[0] if args else None
            return stripped(owner, characters, left=name != "rstrip", right=name != "lstrip")
    elif name in ("index", "count", "remove"):
        meter.pay(owner)
    elif name == "update":  # keys are hashed, all of each
        meter.pay((args, tuple(kwargs.values())))
    elif name in ("copy", "extend", "clear") or isinstance(owner, tuple):
        meter.spend(size(owner) + sum(map(size, args)) + len(kwargs))
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


def pay_all(meter: Meter, *values: object) -> None:
    """The product of the weights: each part of one may meet each part of another."""
    units = 1
    for value in values:
        units *= weigh(value, meter.left)
    meter.spend(units)
