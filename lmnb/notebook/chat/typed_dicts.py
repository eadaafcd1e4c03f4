"""`typing.TypedDict` for pydantic, which before Python 3.12 takes typing_extensions' only."""

from __future__ import annotations

import functools
import operator
import types
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from typing_extensions import TypedDict


def portable(kind: Any) -> Any:
    """The type, with such TypedDicts in it as pydantic takes."""
    if is_typeddict(kind):
        return _rebuilt(kind)
    arguments, origin = get_args(kind), get_origin(kind)
    if not arguments or origin not in (list, dict, tuple, set, Union, types.UnionType):
        return kind
    inner = tuple(portable(each) for each in arguments)
    if inner == arguments:
        return kind
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, inner)
    return origin[inner]


def _rebuilt(kind: Any) -> Any:
    fields = {
        name: portable(hint) if name in kind.__required_keys__ else NotRequired[portable(hint)]
        for name, hint in get_type_hints(kind).items()
    }
    rebuilt: Any = TypedDict(kind.__name__, fields)  # type: ignore[misc]
    rebuilt.__doc__ = kind.__doc__
    return rebuilt
