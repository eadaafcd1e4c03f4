"""`{expression}` in a prompt becomes its value; every other brace stays as it is.

The rules, which `%%lms --help` states too:

* Between the braces stands a name, or something reached from one by attribute, index or call:
  `{name}`, `{row.title}`, `{rows[0]["title"]}`, `{frame.head()}`, `{len(rows)}`. On one line.
* Every name in it exists in the notebook (a call may use Python's built-in functions too).
  Otherwise it is text: JSON, dict literals, LaTeX, code and `{placeholders}` pass through.
* `{{name}}` sends `{name}` where `{name}` would have been replaced, and is text where not.
* An expression that raises is an error: nothing is sent.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Mapping
from typing import Any

from lmnb.errors import InvalidRequest

_FIRST_NAME = re.compile(r"[^\W\d]\w*")
MAX_LENGTH = 500
MAX_CLOSERS = 12
_OPENERS = re.compile(r"\{+")
_RECORD = re.compile(r"In|Out|_{1,3}|_i{1,3}|_i?\d+")


def interpolate(text: str, namespace: Mapping[str, Any]) -> str:
    """`text` with the values of its expressions. Raises InvalidRequest when one fails."""
    parts, at = list[str](), 0
    while opening := _OPENERS.search(text, at):
        parts.append(text[at : opening.start()])
        source, end = _expression_at(text, opening.end(), namespace)
        if source is None:
            parts.append(opening.group())
            at = opening.end()
            continue
        opened = len(opening.group())
        closed = _run_of_closers(text, end, opened)
        pairs = min(opened, closed)
        value = _evaluate(source, namespace) if pairs % 2 else text[opening.end() : end]
        kept = pairs // 2
        parts += ["{" * (opened - pairs + kept), value, "}" * kept]
        at = end + pairs
    parts.append(text[at:])
    return "".join(parts)


def _expression_at(text: str, start: int, namespace: Mapping[str, Any]) -> tuple[str | None, int]:
    """The expression that starts there and where its closing brace is, or None."""
    limit = min(start + MAX_LENGTH, len(text))
    line_end = text.find("\n", start, limit)
    limit = limit if line_end < 0 else line_end
    end = start - 1
    for _ in range(MAX_CLOSERS):
        end = text.find("}", end + 1, limit)
        if end < 0:
            break
        source = text[start:end].strip()
        if is_reference(source, namespace):
            return source, end
    return None, start


def evaluate(expression: str, namespace: Mapping[str, Any]) -> Any:
    """The value of one expression, as `{expression}` would have it. Raises InvalidRequest."""
    if not is_reference(expression.strip(), namespace):
        raise InvalidRequest(
            f"{expression!r} is no variable of this notebook, nor reached from one: "
            "name  rows[0]  frame.head()"
        )
    return _value(expression.strip(), namespace)


def is_reference(source: str, namespace: Mapping[str, Any]) -> bool:
    """Does it read as an expression over this notebook's names?"""
    first = _FIRST_NAME.match(source)
    if not first or not (first[0] in namespace or ("(" in source and hasattr(builtins, first[0]))):
        return False  # quickly: a prompt may hold a megabyte of somebody's code
    try:
        with warnings.catch_warnings(action="ignore"):  # it may be no Python at all
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if not isinstance(tree, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        return False
    names = _free_names(tree)
    if not all(name in namespace or hasattr(builtins, name) for name in names):
        return False
    root = _root_name(tree)
    if root is None:
        return False
    return root in namespace or (isinstance(tree, ast.Call) and hasattr(builtins, root))


def _root_name(node: ast.expr) -> str | None:
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return None
    return node.id


def _free_names(tree: ast.expr) -> set[str]:
    read, bound = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    return read - bound


def _evaluate(source: str, namespace: Mapping[str, Any]) -> str:
    try:
        return str(_value(source, namespace))
    except Exception as error:
        failure = error.__cause__ or error
        raise InvalidRequest(
            f"{{{source}}} in the prompt raised {type(failure).__name__}: {failure}. "
            f"Write {{{{{source}}}}} to send the braces as they are."
        ) from error


def _value(source: str, namespace: Mapping[str, Any]) -> Any:
    scope = namespace if isinstance(namespace, dict) else dict(namespace)
    try:
        return eval(compile(source, "<prompt>", "eval"), scope)
    except Exception as error:
        raise InvalidRequest(f"{source} raised {type(error).__name__}: {error}.") from error


def _run_of_closers(text: str, start: int, limit: int) -> int:
    end = start
    while end < len(text) and end - start < limit and text[end] == "}":
        end += 1
    return end - start


def notebook_names(user_ns: dict[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """What the user made, and IPython's record of it (`In`, `Out`, `_`, `_3`): not its helpers."""
    missing = object()
    return {
        name: value
        for name, value in user_ns.items()
        if _RECORD.fullmatch(name)
        or (not name.startswith("_") and hidden.get(name, missing) is not value)
    }
