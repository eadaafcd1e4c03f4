"""Pieces of content. Text only: no model that can see or hear is served yet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.sampling import unsupported

__all__ = ["Part", "Parts", "text_of"]

TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


class Part(Body):
    """SDKs send our own output back: `annotations` and `logprobs` may be there, or not."""

    type: str
    text: str = ""
    refusal: str = ""

    @model_validator(mode="after")
    def _is_text(self) -> Part:
        if self.type not in (*TEXTS, "refusal"):
            raise unsupported(f"content of type '{self.type}' (this model reads text)", "type")
        field = "refusal" if self.type == "refusal" else "text"
        if field not in self.model_fields_set:
            raise PydanticCustomError("missing", "", {"field": (field,)})
        return self

    def to_json(self, role: str) -> dict[str, Any]:
        if self.type == "refusal":
            return {"type": "refusal", "refusal": self.refusal}
        if role == "assistant":
            return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": []}
        return {"type": "input_text", "text": self.text}


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("content_type", "should be a string or an array of content parts")


Parts = Annotated[list[Part], BeforeValidator(_parts)]


def text_of(content: list[dict[str, Any]]) -> str:
    """The text of parts in JSON."""
    texts = (part.get("text") or part.get("refusal") for part in content)
    return "\n".join(text for text in texts if isinstance(text, str))
