"""What is known and cannot be honoured: said by its name, never silently dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body

__all__ = ["RefusingFields", "unsupported"]


def unsupported(what: str, field: str | None = None) -> PydanticCustomError:
    """For a validator; `field`: where it is not the validated one itself."""
    context = {"field": (field,)} if field else None
    return PydanticCustomError(
        "unsupported", "{what} is not supported", {"what": what, **(context or {})}
    )


class RefusingFields(Body):
    """Says so where a field is in its table, and its value says something."""

    refused: ClassVar[Mapping[str, str]]
    """What each such field asks for, by its name."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_dropped(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, what in cls.refused.items():
                if data.get(name) not in (None, False, [], {}, ""):
                    raise unsupported(what, name)
        return data
