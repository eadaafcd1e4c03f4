"""Pieces of content: text and pictures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.image import ImageAddress
from lmnb.api.openai.content import content_parts
from lmnb.api.refusing import unsupported
from lmnb.chat.image import Image, joined

__all__ = ["Part", "Parts", "content_of", "text_of"]

FIELDS = {"refusal": "refusal", "input_image": "image_url"}
TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


class Part(Body):
    """SDKs send our own output back: `annotations` and `logprobs` may be there, or not."""

    type: str
    text: str = ""
    refusal: str = ""
    image_url: ImageAddress | None = None
    detail: Literal["auto", "low", "high", "original"] = "auto"

    @model_validator(mode="after")
    def _is_understood(self) -> Part:
        if self.type not in (*TEXTS, *FIELDS):
            raise unsupported(f"content of type '{self.type}' (text and pictures only)", "type")
        field = FIELDS.get(self.type, "text")
        if field not in self.model_fields_set:
            raise PydanticCustomError("missing", "", {"field": (field,)})
        return self

    def to_json(self, role: str) -> dict[str, Any]:
        if self.type == "refusal":
            return {"type": "refusal", "refusal": self.refusal}
        if self.type == "input_image":
            return {"type": "input_image", "image_url": self.image_url, "detail": self.detail}
        if role == "assistant":
            return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": []}
        return {"type": "input_text", "text": self.text}


Parts = Annotated[list[Part], BeforeValidator(content_parts)]


def content_of(content: list[dict[str, Any]]) -> tuple[str, tuple[Image, ...]]:
    """The text of parts in JSON, and the pictures in it."""
    pictures = (part.get("image_url") for part in content)
    return joined(
        Image(picture) if isinstance(picture, str) else text_of([part])
        for part, picture in zip(content, pictures, strict=True)
    )


def text_of(content: list[dict[str, Any]]) -> str:
    """The text of parts in JSON."""
    texts = (part.get("text") or part.get("refusal") for part in content)
    return "\n".join(text for text in texts if isinstance(text, str))
