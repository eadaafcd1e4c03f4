"""`text`: what form the answer has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lmnb.api.body import Body
from lmnb.api.openai.sampling import unsupported

__all__ = ["TextFormat", "TextOptions"]


class TextFormat(Body):
    """Flat: chat completions nest the schema one level deeper."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, Field(max_length=64)] = ""
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool = False

    @model_validator(mode="after")
    def _is_text(self) -> TextFormat:
        if self.type != "text":
            raise unsupported(f"'{self.type}'", "type")
        return self

    def to_json(self) -> dict[str, Any]:
        if self.type != "json_schema":
            return {"type": self.type}
        return {
            "type": "json_schema",
            "name": self.name,
            "description": self.description,
            "schema": self.schema_,
            "strict": self.strict,
        }


class TextOptions(Body):
    format: TextFormat = TextFormat()
    verbosity: Literal["low", "medium", "high"] | None = None

    def to_json(self) -> dict[str, Any]:
        verbosity = {"verbosity": self.verbosity} if self.verbosity else {}
        return {"format": self.format.to_json(), **verbosity}
