"""A message of chat completions, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.image import ImageAddress
from lmnb.api.openai.content import content_parts
from lmnb.api.refusing import RefusingFields, unsupported
from lmnb.chat.image import Image, joined
from lmnb.chat.message import Message, Role, ToolCall

__all__ = ["ChatMessage"]

ROLES: dict[str, Role] = {"developer": "system", "function": "tool"}


class ImageUrl(Body):
    """`detail` says how closely to look; a local model has one way of looking."""

    url: ImageAddress


def _image_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class Part(Body):
    """One piece of a message: text, or a picture."""

    type: str
    text: str = ""
    refusal: str = ""
    image_url: Annotated[
        ImageUrl | None, BeforeValidator(_image_url, json_schema_input_type=ImageUrl | str)
    ] = None

    @model_validator(mode="after")
    def _is_understood(self) -> Part:
        if self.type in ("image_url", "input_image"):
            needed = "image_url"
        elif self.type in ("text", "input_text", "output_text"):
            needed = "text"
        elif self.type == "refusal":
            return self
        else:
            raise unsupported(f"content of type '{self.type}' (text and pictures only)", "type")
        if needed not in self.model_fields_set:
            raise PydanticCustomError("missing", "", {"field": (needed,)})
        return self

    @property
    def content(self) -> str | Image:
        if self.image_url is not None:
            return Image(self.image_url.url)
        return self.text or self.refusal


def _json_text(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


class FunctionCall(Body):
    name: str
    arguments: Annotated[
        str, BeforeValidator(_json_text, json_schema_input_type=str | dict[str, Any])
    ] = "{}"


class Call(Body):
    id: str = ""
    function: FunctionCall


class ChatMessage(RefusingFields):
    """SDKs send their own output back: everything an answer may hold is understood here."""

    refused: ClassVar[Mapping[str, str]] = {"audio": "an earlier answer in audio"}

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        list[Part], BeforeValidator(content_parts, json_schema_input_type=str | list[Part])
    ] = []
    name: str | None = None
    refusal: str = ""
    reasoning_content: str = ""
    reasoning: str = ""
    tool_calls: list[Call] = []
    function_call: FunctionCall | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ChatMessage:
        needs_content = self.role in ("system", "developer", "user")
        if needs_content and "content" not in self.model_fields_set:
            raise PydanticCustomError("missing", "", {"field": ("content",)})
        return self

    def to_message(self) -> Message:
        calls = [*self.tool_calls]
        if self.function_call:
            calls.append(Call(function=self.function_call))
        content, images = joined(part.content for part in self.content)
        return Message(
            role=ROLES.get(self.role, self.role),  # type: ignore[arg-type]
            content=content or self.refusal,
            images=images,
            name=self.name,
            reasoning=self.reasoning_content or self.reasoning,
            tool_calls=tuple(
                ToolCall(call.id or f"call_{number}", call.function.name, call.function.arguments)
                for number, call in enumerate(calls)
            ),
            tool_call_id=self.tool_call_id,
        )
