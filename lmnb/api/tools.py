"""What holds for the tools of a request in every dialect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from lmnb.api.refusing import RefusingFields, unsupported

__all__ = ["DirectTool", "check_names"]


def _with_the_model(callers: list[str]) -> list[str]:
    if "direct" not in callers:
        raise unsupported("a tool that only other tools may call")
    return callers


class DirectTool(RefusingFields):
    """A tool that the model sees from the beginning, and calls itself."""

    refused: ClassVar[Mapping[str, str]] = {
        "defer_loading": "a tool that is to be searched for first"
    }

    allowed_callers: Annotated[list[str], AfterValidator(_with_the_model)] = ["direct"]


def check_names(names: Iterable[str], field: str = "tools") -> None:
    """For a validator: raises PydanticCustomError where two are the same."""
    for name, count in Counter(names).items():
        if count > 1:
            context = {"name": name, "field": (field,)}
            raise PydanticCustomError("same_name", "two tools are named '{name}'", context)
