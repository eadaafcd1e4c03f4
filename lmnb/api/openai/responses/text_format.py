"""`text`: what form the answer has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.response_format import SaidTrue, Schema
from lmnb.chat.grammar import ResponseFormat

__all__ = ["TextFormat", "TextOptions"]


class TextFormat(Body):
    """Flat: chat completions nest the schema one level deeper."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, Field(max_length=64)] = ""
    description: str | None = None
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    strict: SaidTrue = False

    @model_validator(mode="after")
    def _has_schema(self) -> TextFormat:
        if self.type == "json_schema" and self.schema_ is None:
            raise PydanticCustomError("missing", "", {"field": ("schema",)})
        return self

    def wanted(self) -> ResponseFormat | None:
        if self.type == "json_schema":
            return ResponseFormat(
                "json_schema", self.schema_, strict=self.strict, param="text.format"
            )
        return ResponseFormat("json_object", param="text.format") if self.type != "text" else None

    def to_json(self) -> dict[str, Any]:
        if self.type != "json_schema":
            return {"type": self.type}
        return {
            "type": "json_schema",
            "name": self.name,
            # OpenAI's schema knows no null here, and Open Responses' wants the key.
            "description": self.description or "",
            "schema": self.schema_,
            "strict": self.strict,
        }


class TextOptions(Body):
    format: TextFormat = TextFormat()
    verbosity: Literal["low", "medium", "high"] | None = None

    def to_json(self) -> dict[str, Any]:
        verbosity = {"verbosity": self.verbosity} if self.verbosity else {}
        return {"format": self.format.to_json(), **verbosity}
