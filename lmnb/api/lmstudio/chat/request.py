"""What a client may send to `/api/v1/chat`: LM Studio's keys and, besides, how to sample, what form
the answer must have, and what the chat template is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT32, INT64, Body, Integer
from lmnb.api.image import ImageAddress
from lmnb.api.lmstudio.chat.integrations import Integration
from lmnb.api.openai.response_format import FormatFields
from lmnb.api.openai.sampling import NO_LIMIT, SamplingFields
from lmnb.models.gguf.reasoning import ReasoningChoice

__all__ = ["NativeChatRequest"]


class TextInput(Body):
    """The documentation calls it "message" in its table and "text" in its example."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["message", "text"]
    content: str

    def part(self) -> dict[str, Any]:
        return {"type": "input_text", "text": self.content}


class ImageInput(Body):
    model_config = ConfigDict(extra="forbid")

    type: Literal["image"]
    data_url: ImageAddress

    def part(self) -> dict[str, Any]:
        return {"type": "input_image", "image_url": self.data_url}


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return "image" if kind == "image" else "text"


InputItem = Annotated[
    Annotated[TextInput, Tag("text")] | Annotated[ImageInput, Tag("image")], Discriminator(_kind)
]


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "message", "content": value}]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("input_type", "should be a string or an array of objects")


class NativeChatRequest(SamplingFields, FormatFields):
    """The body. A key it does not know is refused, as LM Studio refuses it."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1)]
    input: Annotated[
        list[InputItem],
        BeforeValidator(_items, json_schema_input_type=str | list[InputItem]),
        Field(min_length=1),
    ]
    system_prompt: str | None = None
    integrations: list[Integration] = []
    stream: bool = False
    max_output_tokens: Annotated[Integer, Field(ge=NO_LIMIT, le=INT64)] | None = None
    reasoning: ReasoningChoice | None = None
    context_length: Annotated[Integer, Field(ge=1, le=INT32)] | None = None
    store: bool = True
    previous_response_id: Annotated[str, Field(pattern="^resp_")] | None = None
    ttl: Annotated[float, Field(gt=0)] | None = None
    chat_template_kwargs: dict[str, Any] = {}

    def parts(self) -> list[dict[str, Any]]:
        """The user's message, as the Responses API writes it."""
        return [item.part() for item in self.input]
