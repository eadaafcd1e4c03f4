"""Python values as text that a model can read."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lmnb.notebook.display.markdown import table as markdown_table

ROWS = 20
TableFormat = Literal["markdown", "csv"]


@dataclass(frozen=True)
class Written:
    """A value as text, and in a few words what it was and how much of it this is."""

    text: str
    facts: str


def as_text(value: Any) -> str:
    """A value as a tool's result or a part of a prompt."""
    return value if isinstance(value, str) else write(value).text


def write(value: Any, *, rows: int = ROWS, table: TableFormat = "markdown") -> Written:
    """Tables with their first `rows` rows, arrays as a summary, functions as source, data as JSON.

    Where something is left out, the text says how much.
    """
    if _is_frame(value):
        return _frame(value, rows, table)
    if _is_series(value):
        return _frame(value.to_frame(value.name or "value"), rows, table)
    if _is_array(value):
        return _array(value)
    if isinstance(value, str):
        return Written(value, f"text, {len(value):,} characters")
    if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        return _source(value)
    return _data(value)


def _is_frame(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("columns", "head", "itertuples", "index"))


def _is_series(value: Any) -> bool:
    return hasattr(value, "to_frame") and hasattr(value, "index") and hasattr(value, "name")


def _is_array(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("dtype", "shape", "ravel"))


def _frame(frame: Any, rows: int, table: TableFormat) -> Written:
    shown = frame.head(rows)
    total = len(frame)
    head = [*(str(name or "") for name in frame.index.names), *map(str, frame.columns)]
    body = [
        [*(index if isinstance(index, tuple) else (index,)), *cells]
        for index, *cells in shown.itertuples(name=None)
    ]
    if table == "csv":
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([head, *body])
        text = file.getvalue().rstrip("\n")
    else:
        text = markdown_table(head, body)
    if len(shown) < total:
        text += f"\n\n(The first {len(shown):,} of {total:,} rows.)"
    share = f"{len(shown):,} of {total:,}" if len(shown) < total else f"{total:,}"
    return Written(text, f"table, {share} rows by {len(frame.columns):,} columns")


def _array(array: Any) -> Written:
    shape = " by ".join(map(str, array.shape)) or "scalar"
    flat = array.ravel()
    lines = [f"Array of shape {tuple(array.shape)}, dtype {array.dtype}."]
    if flat.size and getattr(array.dtype, "kind", "") in "iufb":
        low, high, mean, spread = flat.min(), flat.max(), flat.mean(), flat.std()
        lines.append(f"min {low:.6g}, max {high:.6g}, mean {mean:.6g}, std {spread:.6g}")
    first = [str(each) for each in flat[:ROWS].tolist()]
    rest = " …" if flat.size > ROWS else ""
    lines.append(f"first values: {', '.join(first)}{rest}")
    return Written("\n".join(lines), f"summary of an array, {shape}, {array.dtype}")


def _source(value: Any) -> Written:
    name = getattr(value, "__name__", type(value).__name__)
    try:
        return Written(inspect.getsource(value).rstrip(), f"source of {name}")
    except (OSError, TypeError):  # built in, or made by exec
        text = f"{name}: {inspect.getdoc(value) or 'no documentation'}"
        return Written(text, f"documentation of {name}")


def _data(value: Any) -> Written:
    from pydantic_core import to_json

    kind = type(value).__name__
    if isinstance(value, Mapping | Sequence | set | frozenset):
        kind += f" of {len(value):,}"
    try:
        text = to_json(value, indent=2, inf_nan_mode="constants", fallback=str).decode()
    except ValueError:  # it holds itself, or bytes that are no text
        text = repr(value)
    return Written(text, kind)
