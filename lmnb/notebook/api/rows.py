"""What `lmnb.map` goes over, row by row, and what it asks of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import InvalidRequest

Template = str | Callable[[Any], Any]
_PLACE = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one row: a `value`, or an `error`."""

    value: Any = None
    error: str | None = None


@dataclass(frozen=True)
class Source:
    """The rows' values (of a DataFrame: dicts), and the pandas index they have, if any."""

    values: Sequence[Any]
    index: Any = None

    @classmethod
    def of(cls, data: Any) -> Source:
        """From a Series, a DataFrame, or anything with items."""
        if isinstance(data, str | bytes | Mapping):
            raise InvalidRequest("lmnb.map goes over a Series, a DataFrame or a list.")
        if hasattr(data, "to_dict") and hasattr(data, "columns"):
            return cls(data.to_dict("records"), data.index)
        if hasattr(data, "index") and hasattr(data, "tolist"):
            return cls(data.tolist(), data.index)
        if not isinstance(data, Iterable):
            raise InvalidRequest("lmnb.map goes over a Series, a DataFrame or a list.")
        return cls(list(data))


def fill(template: Template, value: Any) -> Any:
    """The prompt of one row.

    `{}` stands for its value, `{column}` for one of a DataFrame's or a dict's; other braces stay. A
    template without either is followed by the value. A function gives a text, or messages.
    """
    if callable(template):
        return template(value)
    fields = value if isinstance(value, Mapping) else {}
    used = False

    def place(match: re.Match[str]) -> str:
        nonlocal used
        name = match[1]
        if name and name not in fields:
            return match[0]
        used = True
        return str(fields[name]) if name else _text(value)

    filled = _PLACE.sub(place, template)
    return filled if used else f"{template}\n\n{_text(value)}"


def is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA: nothing to ask about."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
